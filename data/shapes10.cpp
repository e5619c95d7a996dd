#include "data/shapes10.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/check.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/cifar.h"

namespace hv::data {
namespace {

constexpr int kSide = static_cast<int>(kCifarSide);
constexpr int64_t kRecord = 1 + kCifarPixels;
// Over the pixels of the 20,000 training images; a test recomputes it.
constexpr Normalization kShapesNormalization{{0.2999, 0.2998, 0.3002}, {0.2046, 0.2043, 0.2042}};

struct Point {
  float x, y;
};
float length(Point p) { return std::sqrt(p.x * p.x + p.y * p.y); }
float box(Point p, float half_x, float half_y) { return std::max(std::abs(p.x) - half_x, std::abs(p.y) - half_y); }
// A regular polygon with `sides` edges at distance `inner` from the centre; one edge is at the bottom.
float polygon(Point p, int sides, float inner) {
  float far = -1e9f;
  for (int i = 0; i < sides; ++i) {
    const float angle = 2 * std::numbers::pi_v<float> * static_cast<float>(i) / static_cast<float>(sides);
    far = std::max(far, p.x * std::sin(angle) + p.y * std::cos(angle) - inner);
  }
  return far;
}
float star(Point p) {
  const float wedge = 2 * std::numbers::pi_v<float> / 5;
  // Fold the plane into half a wedge; the edge there runs from the tip (1, 0) to the inner corner.
  float angle = std::atan2(p.y, p.x);
  angle = std::abs(angle - wedge * std::round(angle / wedge));
  const Point q{length(p) * std::cos(angle), length(p) * std::sin(angle)};
  const Point inner{0.42f * std::cos(wedge / 2), 0.42f * std::sin(wedge / 2)};
  const Point edge{inner.x - 1, inner.y};
  return ((q.x - 1) * edge.y - q.y * edge.x) / length(edge);
}
float heart(Point p) {  // a square on its corner and two discs on its upper edges
  const float h = 0.5f;
  const float root = std::numbers::sqrt2_v<float> / 2;
  const Point q{(p.x + p.y - 0.1f) * root, (p.y - 0.1f - p.x) * root};
  const float discs = std::min(length({q.x, q.y + h}), length({q.x + h, q.y})) - h;
  return std::min(box(q, h, h), discs);
}

// Signed distance (about) of a point to the outline of class `label`, in units of the shape's radius; negative inside.
// y points down.
float outline(int label, Point p) {
  switch (label) {
    case 0:
      return length(p) - 0.85f;  // circle
    case 1:
      return std::abs(length(p) - 0.72f) - 0.2f;  // ring
    case 2:
      return std::max(length(p) - 0.95f, 0.8f - length({p.x - 0.5f, p.y}));  // crescent
    case 3:
      return box(p, 0.72f, 0.72f);  // square
    case 4:
      return box(p, 1.0f, 0.28f);  // bar
    case 5:
      return polygon(p, 3, 0.52f);  // triangle
    case 6:
      return star(p);  // star
    case 7:
      return std::min(box(p, 0.95f, 0.27f), box(p, 0.27f, 0.95f));  // cross
    case 8:
      return heart(p);  // heart
    default:
      return std::min(box({p.x + 0.35f, p.y}, 0.6f, 0.19f),  // arrow
                      polygon({p.y, 0.3f - p.x}, 3, 0.34f));
  }
}

using Color = std::array<float, 3>;
Color random_color(Stream& s, double low, double high) {
  Color color;
  for (float& c : color) c = static_cast<float>(s.uniform(low, high));
  return color;
}

class Canvas {
 public:
  // Blends `color` with weight `alpha` into the pixels whose inside(x, y), a signed distance in pixels, is negative. All these
  // pixels lie between the corners `low` and `high`.
  template <class Distance>
  void paint(const Color& color, float alpha, Point low, Point high, const Distance& inside) {
    const auto first = [](float v) { return std::max(0, static_cast<int>(v) - 1); };
    const auto last = [](float v) { return std::min(kSide, static_cast<int>(v) + 2); };
    for (int y = first(low.y); y < last(high.y); ++y)
      for (int x = first(low.x); x < last(high.x); ++x) {
        const float far = inside(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f);
        const float cover = alpha * std::clamp(0.5f - far, 0.0f, 1.0f);
        if (cover <= 0) continue;
        for (size_t c = 0; c < 3; ++c) {
          float& value = pixels_[c][static_cast<size_t>(y * kSide + x)];
          value += cover * (color[c] - value);
        }
      }
  }
  void gradient(const Color& a, const Color& b, float angle) {
    const float dx = std::cos(angle) / kSide, dy = std::sin(angle) / kSide;
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x) {
        const float along = dx * (static_cast<float>(x) - 15.5f) + dy * (static_cast<float>(y) - 15.5f);
        const float t = std::clamp(0.5f + along, 0.0f, 1.0f);
        for (size_t c = 0; c < 3; ++c) pixels_[c][static_cast<size_t>(y * kSide + x)] = a[c] + t * (b[c] - a[c]);
      }
  }
  void line(const Color& color, float alpha, Point from, Point to, float width) {
    const Point d{to.x - from.x, to.y - from.y};
    const float square = d.x * d.x + d.y * d.y + 1e-3f;
    const Point low{std::min(from.x, to.x) - width, std::min(from.y, to.y) - width};
    const Point high{std::max(from.x, to.x) + width, std::max(from.y, to.y) + width};
    paint(color, alpha, low, high, [=](float x, float y) {
      const float t = std::clamp(((x - from.x) * d.x + (y - from.y) * d.y) / square, 0.0f, 1.0f);
      return length({x - from.x - t * d.x, y - from.y - t * d.y}) - width / 2;
    });
  }
  // Writes bytes, with noise of at most 12 up or down.
  void write(uint8_t* chw, Stream& s) const {
    for (const auto& plane : pixels_)
      for (size_t i = 0; i < plane.size(); i += 4) {
        uint32_t bits = s.bits();
        for (size_t j = 0; j < 4; ++j, bits >>= 8) {
          const float noise = (static_cast<float>(bits & 255) - 127.5f) * (12.0f / 127.5f);
          *chw++ = static_cast<uint8_t>(std::clamp(plane[i + j] + noise + 0.5f, 0.0f, 255.0f));
        }
      }
  }

 private:
  std::array<std::array<float, kSide * kSide>, 3> pixels_{};
};

}  // namespace

const std::vector<std::string>& shapes10_classes() {
  static const std::vector<std::string> names = {"circle",   "ring", "crescent", "square", "bar",
                                                 "triangle", "star", "cross",    "heart",  "arrow"};
  return names;
}

void draw_shape_record(uint64_t seed, Split split, int64_t index, uint8_t* record) {
  Stream s(seed, Purpose::shapes, split == Split::train ? 0 : 1, static_cast<uint64_t>(index));
  const auto real = [&](double low, double high) { return static_cast<float>(s.uniform(low, high)); };
  const auto place = [&] { return Point{real(0, kSide), real(0, kSide)}; };
  const int label = static_cast<int>(index % 10);  // so the first n images are balanced

  Canvas canvas;
  // The background is dark and the figure bright: so narrow subnetworks are less accurate than wide ones, and a minute of
  // training is enough. Each draw is a statement of its own, because the compiler chooses the order in which arguments are
  // evaluated.
  const Color ground_a = random_color(s, 0, 110), ground_b = random_color(s, 0, 110);
  canvas.gradient(ground_a, ground_b, real(0, 2 * std::numbers::pi));
  for (int i = 0, n = 1 + static_cast<int>(s.below(3)); i < n; ++i) {  // blobs
    const Color color = random_color(s, 0, 140);
    const Point at = place();
    const float radius = real(2, 6), squash = real(0.4, 1), alpha = real(0.3, 0.8);
    const Point low{at.x - radius, at.y - radius}, high{at.x + radius, at.y + radius};
    canvas.paint(color, alpha, low, high, [=](float x, float y) { return length({x - at.x, (y - at.y) / squash}) - radius; });
  }
  for (int i = 0, n = static_cast<int>(s.below(3)); i < n; ++i) {  // lines behind
    const Color color = random_color(s, 0, 160);
    const Point from = place(), to = place();
    const float alpha = real(0.4, 0.9), thick = real(0.8, 1.6);
    canvas.line(color, alpha, from, to, thick);
  }

  const Color color = random_color(s, 130, 255);
  const float radius = real(8.5, 12), angle = real(-0.4, 0.4);
  const float stretch = real(0.85, 1.15);
  const Point at{real(kSide / 2.0 - 4, kSide / 2.0 + 4), real(kSide / 2.0 - 4, kSide / 2.0 + 4)};
  const float c = std::cos(angle) / radius, k = std::sin(angle) / radius;
  const float reach = 1.25f * radius;  // the outlines end at about 1.05, the stretch may add a fifth
  canvas.paint(color, real(0.8, 1), {at.x - reach, at.y - reach}, {at.x + reach, at.y + reach}, [=](float x, float y) {
    const float dx = x - at.x, dy = (y - at.y) * stretch;
    return radius * outline(label, {c * dx + k * dy, c * dy - k * dx});
  });
  if (s.chance(0.5)) {  // a line in front
    const Color over = random_color(s, 0, 255);
    const Point from = place(), to = place();
    const float alpha = real(0.4, 0.9), thick = real(0.8, 1.5);
    canvas.line(over, alpha, from, to, thick);
  }
  record[0] = static_cast<uint8_t>(label);
  canvas.write(record + 1, s);
}

DatasetPtr make_shapes10(Split split, int64_t count, uint64_t seed) {
  if (count == 0) count = split == Split::train ? kShapesTrain : kShapesTest;
  HV_CHECK(count > 0 && count <= 10000000, "shapes10: number of images out of range: ", count);
  auto records = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(count * kRecord));
  parallel_blocks(count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) draw_shape_record(seed, split, i, records.get() + i * kRecord);
  });
  auto dataset = std::make_shared<CifarDataset>(CifarKind::cifar10, split, std::move(records),
                                                std::vector<CifarPiece>{{"shapes10", count * kRecord}});
  dataset->set_name("shapes10");
  dataset->set_class_names(shapes10_classes());
  dataset->set_normalization(kShapesNormalization);
  return dataset;
}

}  // namespace hv::data
