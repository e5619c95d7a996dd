#include "data/findings/findings8.h"

#include <algorithm>
#include <mutex>

#include "core/check.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/checksum.h"

namespace hv::data {
namespace {

constexpr float kSide = kChestSide;
constexpr size_t kPlane = static_cast<size_t>(kChestSide * kChestSide);
// Over the pixels of the training pictures; a test recomputes it.
constexpr Normalization kChestNormalization{{0.3854, 0.3854, 0.3854}, {0.2374, 0.2374, 0.2374}};

enum Finding { cardiomegaly, effusion_left, effusion_right, fracture, infiltration, mass, nodule, pneumothorax };
enum Trait { weak_heart, tumours, injuries };
// A finding is there if its score, which is normally distributed, is above `above`: 12 % of the pictures have cardiomegaly. A
// share of the score's variance is the patient's trait, so findings of one trait go together, and so do a patient's pictures.
struct Occurrence {
  double above, share;
  Trait trait;
};
constexpr std::array<Occurrence, kChestLabels> kOccurrences = {{{1.175, 0.6, weak_heart},  // cardiomegaly: 12 %
                                                                {1.036, 0.5, weak_heart},  // effusion_left: 15 %
                                                                {1.282, 0.5, weak_heart},  // effusion_right: 10 %
                                                                {1.881, 0.5, injuries},    // fracture: 3 %
                                                                {0.253, 0.1, weak_heart},  // infiltration: 40 %
                                                                {1.476, 0.5, tumours},     // mass: 7 %
                                                                {1.341, 0.5, tumours},     // nodule: 9 %
                                                                {1.645, 0.5, injuries}}};  // pneumothorax: 5 %

// Of twelve pictures in a row, the first is that of a first patient, the next two of a second, and so on.
constexpr int64_t kPeriod = 12, kPatientsPerPeriod = 4;
constexpr std::array<int64_t, kPeriod> kPatientOf = {0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3};

struct Point {
  float x, y;
};

float square(float x) { return x * x; }
// 1 well inside an ellipse, 0 well outside; the edge is about `soft` pixels wide.
float inside(Point p, Point centre, Point radius, float soft) {
  const float q = square((p.x - centre.x) / radius.x) + square((p.y - centre.y) / radius.y);
  return std::clamp(0.5f + (1 - q) * std::min(radius.x, radius.y) / (2 * soft), 0.0f, 1.0f);
}
// 0 where x is well below `from`, 1 well above.
float above(float x, float from, float soft) { return std::clamp(0.5f + (x - from) / soft, 0.0f, 1.0f); }
float mix(float a, float b, float share) { return a + share * (b - a); }

struct Blob {
  Point at;
  float radius, strength, soft;
};

// Draws of one stream. Each is a statement of its own, because the compiler chooses the order in which arguments are evaluated.
class Draw : public Stream {
 public:
  using Stream::Stream;
  float real(double low, double high) { return static_cast<float>(uniform(low, high)); }
};

// What all pictures of a patient share. Places are relative to the middle of the chest; x grows to the right of the picture.
struct Anatomy {
  explicit Anatomy(Draw s) {
    for (double& trait : traits) trait = s.normal();
    gap = s.real(3, 4.5);
    for (Point& radius : lung_radius) {
      radius.x = s.real(8.5, 10.5);
      radius.y = s.real(19, 23);
    }
    heart.x = s.real(3.5, 5);
    heart.y = s.real(8, 10);
    heart_radius.x = s.real(6, 7.5);
    heart_radius.y = s.real(7, 9);
    rib_step = s.real(5.5, 7);
    rib_phase = s.real(0, 7);
    rib_strength = s.real(10, 20);
    air = s.real(50, 75);
    tissue = s.real(135, 165);
    body = s.real(27, 30);
  }
  float side_of(int lung) const { return lung == 0 ? -1.0f : 1.0f; }
  Point lung_centre(int lung) const { return {side_of(lung) * (gap + lung_radius[lung].x), -1}; }
  // The dome below a lung; that of the liver's side is higher.
  float dome(int lung, float x) const {
    const float t = (x - lung_centre(lung).x) / lung_radius[lung].x;
    return (lung == 0 ? 13.5f : 16.0f) + 3.0f * t * t;
  }
  // A point in a lung, in a part of it that stays visible.
  Point in_lung(Draw& s, int lung) const {
    const Point centre = lung_centre(lung);
    const float x = s.real(-0.55, 0.55), y = s.real(-0.65, 0.4);
    return {centre.x + x * lung_radius[lung].x, centre.y + y * lung_radius[lung].y};
  }
  // How far the point is from the middle line of a rib: 0 on it, 1 between two.
  float rib(Point p) const {
    const float along = (p.y + 0.022f * square(p.x) + rib_phase) / rib_step;
    return std::abs(2 * (along - std::floor(along)) - 1);
  }

  std::array<double, 3> traits{};
  std::array<Point, 2> lung_radius{};  // 0: on the left of the picture
  Point heart{}, heart_radius{};
  float gap, rib_step, rib_phase, rib_strength, air, tissue, body;
};

// What one picture shows: how it was taken, and its findings.
struct Shot {
  Shot(Draw& s, const Anatomy& patient, const std::array<uint8_t, kChestLabels>& has) {
    shift.x = s.real(-2.5, 2.5);
    shift.y = s.real(-2.5, 2.5);
    scale = s.real(0.94, 1.06);
    tilt = s.real(-0.06, 0.06);
    gain = s.real(0.85, 1.15);
    offset = s.real(-10, 14);
    noise = s.real(9, 15);
    if (has[cardiomegaly]) heart_growth = s.real(1.4, 1.7);
    if (has[effusion_right]) fill(s, 0);
    if (has[effusion_left]) fill(s, 1);
    if (has[pneumothorax]) {
      collapsed = static_cast<int>(s.below(2));
      collapse = s.real(0.55, 0.72);
    }
    if (has[infiltration]) {
      const Point middle = patient.in_lung(s, static_cast<int>(s.below(2)));
      const float strength = s.real(0.35, 0.65);
      for (int i = 0; i < 6; ++i) {
        const float x = s.real(-4.5, 4.5), y = s.real(-6, 6), radius = s.real(2.5, 4.5);
        blobs.push_back({{middle.x + x, middle.y + y}, radius, strength * s.real(0.4, 1), radius});
      }
    }
    if (has[mass]) {
      const Point at = patient.in_lung(s, static_cast<int>(s.below(2)));
      const float radius = s.real(4, 6.5);
      blobs.push_back({at, radius, s.real(0.7, 1), 1.2f});
    }
    if (has[nodule]) {
      for (int i = 0, n = 1 + static_cast<int>(s.below(3)); i < n; ++i) {
        const Point at = patient.in_lung(s, static_cast<int>(s.below(2)));
        const float radius = s.real(1.8, 2.8);
        blobs.push_back({at, radius, s.real(0.8, 1), 0.7f});
      }
    }
    if (has[fracture]) {  // near the outer edge of a lung
      const int lung = static_cast<int>(s.below(2));
      broken = {patient.side_of(lung) * s.real(16, 20), s.real(-10, 8)};
      break_strength = s.real(90, 130);
    }
  }
  void fill(Draw& s, int lung) {
    level[lung] = s.real(5, 11);
    fluid[lung] = s.real(0.6, 1);
  }

  Point shift{};
  float scale, tilt, gain, offset, noise;
  float heart_growth = 1;
  std::array<float, 2> level{}, fluid{};  // per lung: height of the fluid, and how much light it holds back
  int collapsed = -1;                     // the lung with air around it
  float collapse = 1;                     // what is left of its size
  std::vector<Blob> blobs;
  Point broken{};
  float break_strength = 0;
};

// The brightness at a point of a lung, without ribs. `floor` is where the lung ends below.
float shade_lung(const Anatomy& a, const Shot& shot, Point p, int lung, float floor) {
  const Point centre = a.lung_centre(lung), radius = a.lung_radius[lung];
  float value = a.air;
  if (shot.collapsed == lung) {  // around what is left of the lung it is darker; its edge is a bright line
    const Point rest{radius.x * shot.collapse, radius.y * shot.collapse};
    const Point at{centre.x - a.side_of(lung) * (radius.x - rest.x), centre.y + radius.y - rest.y};
    const float left = inside(p, at, rest, 1);
    value = mix(0.4f * a.air, a.air, left) + 180 * left * (1 - left);
  }
  for (const Blob& blob : shot.blobs)
    value = mix(value, a.tissue + 15, blob.strength * inside(p, blob.at, {blob.radius, blob.radius}, blob.soft));
  if (shot.fluid[lung] > 0) {  // the level rises towards the side of the chest
    const float outwards = std::max((p.x - centre.x) * a.side_of(lung) / radius.x, 0.0f);
    const float surface = floor - shot.level[lung] - 3.5f * square(outwards);
    value = mix(value, a.tissue + 5, shot.fluid[lung] * above(p.y, surface, 2));
  }
  return value;
}

// The brightness at a point of the chest.
float shade(const Anatomy& a, const Shot& shot, Point p) {
  constexpr float kOutside = 12;
  const float body = inside(p, {0, 12}, {a.body, 44}, 2);
  if (body <= 0) return kOutside;
  float value = mix(kOutside, a.tissue, body);
  const int lung = p.x < 0 ? 0 : 1;
  const float floor = a.dome(lung, p.x);
  const float cover = inside(p, a.lung_centre(lung), a.lung_radius[lung], 1.5f) * (1 - above(p.y, floor, 2));
  if (cover > 0) value = mix(value, shade_lung(a, shot, p, lung, floor), cover);
  value += a.rib_strength * body * square(1 - std::min(1.0f, 2 * a.rib(p))) * (0.4f + 0.6f * cover);
  value += 25 * body * inside(p, {0, 8}, {2.4f, 60}, 1);  // spine
  const Point heart{a.heart.x * (0.6f + 0.4f * shot.heart_growth), a.heart.y};
  value = mix(value, a.tissue + 20, 0.92f * inside(p, heart, {a.heart_radius.x * shot.heart_growth, a.heart_radius.y}, 1.5f));
  if (shot.break_strength > 0) {  // a short line across the rib, dark beside it
    const float across = std::abs(0.8f * (p.x - shot.broken.x) + 0.6f * (p.y - shot.broken.y));
    const float along = std::abs(0.8f * (p.y - shot.broken.y) - 0.6f * (p.x - shot.broken.x));
    const float bright = std::max(0.0f, 1 - across), dark = std::max(0.0f, 1 - std::abs(across - 1.8f));
    value += shot.break_strength * (bright - 0.7f * dark) * std::clamp(6 - along, 0.0f, 1.0f);
  }
  return value;
}

class ChestDataset : public Dataset {
 public:
  ChestDataset(Split split, int64_t count, uint64_t seed)
      : pixels_(static_cast<size_t>(count) * kPlane), chests_(static_cast<size_t>(count)) {
    name_ = "findings8";
    split_ = split;
    class_names_ = findings8_labels();
    height_ = width_ = kChestSide;
    normalization_ = kChestNormalization;
    parallel_blocks(count, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<size_t>(i);
        chests_[at] = draw_chest(seed, split, i, pixels_.data() + at * kPlane);
      }
    });
  }

  int64_t size() const override { return std::ssize(chests_); }
  int64_t label(int64_t) const override { return -1; }
  bool mixed_order() const override { return true; }
  void target(int64_t i, Real* row) const override {
    for (const uint8_t has : chest(i).has) *row++ = static_cast<Real>(has);
  }
  std::string scorer() const override { return "findings"; }
  void image(int64_t i, uint8_t* chw) const override {
    chest(i);
    const uint8_t* plane = pixels_.data() + static_cast<size_t>(i) * kPlane;
    for (int c = 0; c < 3; ++c) chw = std::copy_n(plane, kPlane, chw);
  }
  int64_t group(int64_t i) const override { return chest(i).patient; }
  std::string default_augment() const override { return "xray"; }
  std::string checksum() const override {
    std::call_once(checksum_once_, [&] {
      uint64_t hash = xxh64(pixels_);
      for (const Chest& one : chests_) hash = xxh64(one.has, hash);
      checksum_ = hex64(hash);
    });
    return checksum_;
  }

 private:
  const Chest& chest(int64_t i) const {
    HV_CHECK(i >= 0 && i < size(), "findings8: image ", i, " of ", size());
    return chests_[static_cast<size_t>(i)];
  }

  std::vector<uint8_t> pixels_;  // a plane per picture
  std::vector<Chest> chests_;
  mutable std::once_flag checksum_once_;
  mutable std::string checksum_;
};

}  // namespace

const std::vector<std::string>& findings8_labels() {
  static const std::vector<std::string> names = {"cardiomegaly", "effusion_left", "effusion_right", "fracture",
                                                 "infiltration", "mass",          "nodule",         "pneumothorax"};
  return names;
}

Chest draw_chest(uint64_t seed, Split split, int64_t index, uint8_t* plane) {
  HV_CHECK(index >= 0, "findings8: image ", index);
  Chest chest;
  chest.patient = index / kPeriod * kPatientsPerPeriod + kPatientOf[static_cast<size_t>(index % kPeriod)];
  const auto number = static_cast<uint64_t>(split);
  const Anatomy patient(Draw(seed, Purpose::findings, 2 * number, static_cast<uint64_t>(chest.patient)));
  Draw s(seed, Purpose::findings, 2 * number + 1, static_cast<uint64_t>(index));
  for (size_t k = 0; k < chest.has.size(); ++k) {
    const Occurrence& o = kOccurrences[k];
    chest.has[k] = std::sqrt(o.share) * patient.traits[o.trait] + std::sqrt(1 - o.share) * s.normal() > o.above;
  }
  const Shot shot(s, patient, chest.has);
  const Point across{std::cos(shot.tilt) / shot.scale, std::sin(shot.tilt) / shot.scale};
  uint32_t bits = 0;
  for (int64_t y = 0; y < kChestSide; ++y) {
    for (int64_t x = 0; x < kChestSide; ++x) {
      const float dx = static_cast<float>(x) + 0.5f - kSide / 2 - shot.shift.x;
      const float dy = static_cast<float>(y) + 0.5f - kSide / 2 - shot.shift.y;
      const Point p{across.x * dx - across.y * dy, across.y * dx + across.x * dy};
      if (x % 4 == 0) bits = s.bits();
      const float noise = shot.noise * (static_cast<float>(bits & 255) - 127.5f) / 127.5f;
      bits >>= 8;
      *plane++ =
          static_cast<uint8_t>(std::clamp(shot.gain * shade(patient, shot, p) + shot.offset + noise + 0.5f, 0.0f, 255.0f));
    }
  }
  return chest;
}

DatasetPtr make_findings8(Split split, int64_t count, uint64_t seed) {
  if (count == 0) count = split == Split::train ? 8004 : split == Split::validation ? 1008 : 2004;
  HV_CHECK(count > 0 && count <= 10000000, "findings8: number of images out of range: ", count);
  return std::make_shared<ChestDataset>(split, count, seed);
}

}  // namespace hv::data
