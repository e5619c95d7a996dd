#include "data/randaugment.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "core/check.h"

namespace hv::data {
namespace {

// Luma as PIL rounds it: (19595 R + 38470 G + 7471 B) / 2^16.
uint8_t luma(const uint8_t* in, int64_t plane, int64_t i) {
  return static_cast<uint8_t>((in[i] * 19595u + in[plane + i] * 38470u + in[2 * plane + i] * 7471u + 0x8000u) >> 16);
}

// base + factor * (in - base), clamped to 0..255 and rounded down.
uint8_t blend(uint8_t base, uint8_t in, float factor) {
  const float value = static_cast<float>(base) + factor * static_cast<float>(int{in} - int{base});
  return static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

using Table = std::array<uint8_t, 256>;

void apply_table(const Table& table, const uint8_t* in, uint8_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = table[in[i]];
}

Table identity_table() {
  Table table;
  for (size_t v = 0; v < 256; ++v) table[v] = static_cast<uint8_t>(v);
  return table;
}

std::array<int64_t, 256> histogram(const uint8_t* in, int64_t count) {
  std::array<int64_t, 256> counts{};
  for (int64_t i = 0; i < count; ++i) ++counts[in[i]];
  return counts;
}

// Stretches the used values to 0..255.
Table auto_contrast_table(const uint8_t* in, int64_t count) {
  const auto [low, high] = std::minmax_element(in, in + count);
  Table table = identity_table();
  if (*high <= *low) return table;
  const double scale = 255.0 / (*high - *low), offset = -*low * scale;
  for (size_t v = 0; v < 256; ++v)
    table[v] = static_cast<uint8_t>(std::clamp(static_cast<int>(static_cast<double>(v) * scale + offset), 0, 255));
  return table;
}

// Makes the distribution of the values as flat as a table of 256 entries can.
Table equalize_table(const uint8_t* in, int64_t count) {
  const auto counts = histogram(in, count);
  Table table = identity_table();
  const auto last = std::find_if(counts.rbegin(), counts.rend(), [](int64_t n) { return n > 0; });
  const int64_t step = (count - *last) / 255;
  if (step == 0) return table;
  int64_t below = step / 2;
  for (size_t v = 0; v < 256; ++v) {
    table[v] = static_cast<uint8_t>(std::min<int64_t>(below / step, 255));
    below += counts[v];
  }
  return table;
}

// out(x, y) = in(M (x, y, 1)), on pixel centres, bilinear with the border repeated for half a pixel.
struct Affine {
  double xx, xy, x0, yx, yy, y0;
};
void warp(const Affine& m, const uint8_t* in, uint8_t* out, int64_t height, int64_t width, const Fill& fill) {
  const int64_t plane = height * width;
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column, ++out) {
      const double x = static_cast<double>(column) + 0.5, y = static_cast<double>(row) + 0.5;
      const double u = m.xx * x + m.xy * y + m.x0, v = m.yx * x + m.yy * y + m.y0;
      if (!(u >= 0 && u < static_cast<double>(width) && v >= 0 && v < static_cast<double>(height))) {
        for (int64_t c = 0; c < 3; ++c) out[c * plane] = fill[static_cast<size_t>(c)];
        continue;
      }
      const double fu = std::floor(u - 0.5), fv = std::floor(v - 0.5);
      const double du = u - 0.5 - fu, dv = v - 0.5 - fv;
      const auto iu = static_cast<int64_t>(fu), iv = static_cast<int64_t>(fv);
      const int64_t left = std::max<int64_t>(iu, 0), right = std::min(iu + 1, width - 1);
      const int64_t top = std::max<int64_t>(iv, 0) * width, bottom = std::min(iv + 1, height - 1) * width;
      for (int64_t c = 0; c < 3; ++c) {
        const uint8_t* p = in + c * plane;
        const double above = p[top + left] + du * (p[top + right] - p[top + left]);
        const double below = p[bottom + left] + du * (p[bottom + right] - p[bottom + left]);
        out[c * plane] = static_cast<uint8_t>(above + dv * (below - above));
      }
    }
}

Affine rotation(double degrees, int64_t height, int64_t width) {  // counter-clockwise, about the centre
  const double angle = degrees * std::numbers::pi / 180.0, c = std::cos(angle), s = std::sin(angle);
  const double cx = static_cast<double>(width) / 2, cy = static_cast<double>(height) / 2;
  return {c, -s, cx - c * cx + s * cy, s, c, cy - s * cx - c * cy};
}

// Blends with a 3x3 smoothing (centre 5, ring 1, sum 13); the border stays as it is.
void sharpness(float factor, const uint8_t* in, uint8_t* out, int64_t height, int64_t width) {
  for (int64_t c = 0; c < 3; ++c, in += height * width, out += height * width) {
    std::memcpy(out, in, static_cast<size_t>(height * width));
    for (int64_t y = 1; y + 1 < height; ++y)
      for (int64_t x = 1; x + 1 < width; ++x) {
        const uint8_t* p = in + y * width + x;
        int sum = 4 * p[0];
        for (int64_t dy = -width; dy <= width; dy += width) sum += p[dy - 1] + p[dy] + p[dy + 1];
        const auto smooth = static_cast<uint8_t>((2 * sum + 13) / 26);  // rounded sum / 13
        out[y * width + x] = blend(smooth, p[0], factor);
      }
  }
}

}  // namespace

const char* rand_op_name(RandOp op) {
  static constexpr const char* kNames[kRandOps] = {"identity", "auto_contrast", "equalize",    "rotate",     "solarize",
                                                   "color",    "posterize",     "contrast",    "brightness", "sharpness",
                                                   "shear_x",  "shear_y",       "translate_x", "translate_y"};
  return kNames[static_cast<size_t>(op)];
}

double rand_op_value(RandOp op, double magnitude, bool negative) {
  const double share = magnitude / 10.0, sign = negative ? -1.0 : 1.0;
  switch (op) {
    case RandOp::rotate:
      return sign * 30.0 * share;
    case RandOp::shear_x:
    case RandOp::shear_y:
      return sign * 0.3 * share;
    case RandOp::translate_x:
    case RandOp::translate_y:
      return sign * 0.45 * share;
    case RandOp::color:
    case RandOp::contrast:
    case RandOp::brightness:
    case RandOp::sharpness:
      return std::max(0.1, 1.0 + sign * 0.9 * share);
    case RandOp::posterize:
      return 4.0 - std::floor(4.0 * share);
    case RandOp::solarize:
      return 256.0 - std::floor(256.0 * share);
    default:
      return 0.0;
  }
}

void apply_rand_op(RandOp op, double value, const uint8_t* in, uint8_t* out, int64_t height, int64_t width, const Fill& fill) {
  const int64_t plane = height * width;
  const auto factor = static_cast<float>(value);
  Table table = identity_table();
  switch (op) {
    case RandOp::identity:
      std::memcpy(out, in, static_cast<size_t>(3 * plane));
      return;
    case RandOp::auto_contrast:
    case RandOp::equalize:
      for (int64_t i = 0; i < 3 * plane; i += plane) {
        table = op == RandOp::equalize ? equalize_table(in + i, plane) : auto_contrast_table(in + i, plane);
        apply_table(table, in + i, out + i, plane);
      }
      return;
    case RandOp::solarize:  // inverts values from `value` up
      for (size_t v = 0; v < 256; ++v) table[v] = static_cast<uint8_t>(static_cast<double>(v) < value ? v : 255 - v);
      return apply_table(table, in, out, 3 * plane);
    case RandOp::posterize: {  // keeps the upper `value` bits
      const int lost = std::clamp(8 - static_cast<int>(value), 0, 8);
      for (size_t v = 0; v < 256; ++v) table[v] = static_cast<uint8_t>(v >> lost << lost);
      return apply_table(table, in, out, 3 * plane);
    }
    case RandOp::brightness:  // blends with black
      for (size_t v = 0; v < 256; ++v) table[v] = blend(0, static_cast<uint8_t>(v), factor);
      return apply_table(table, in, out, 3 * plane);
    case RandOp::contrast: {  // blends with the mean luma
      int64_t sum = 0;
      for (int64_t i = 0; i < plane; ++i) sum += luma(in, plane, i);
      const auto mean = static_cast<uint8_t>((2 * sum + plane) / (2 * plane));
      for (size_t v = 0; v < 256; ++v) table[v] = blend(mean, static_cast<uint8_t>(v), factor);
      return apply_table(table, in, out, 3 * plane);
    }
    case RandOp::color:  // blends with grey
      for (int64_t i = 0; i < plane; ++i) {
        const uint8_t grey = luma(in, plane, i);
        for (int64_t c = 0; c < 3; ++c) out[c * plane + i] = blend(grey, in[c * plane + i], factor);
      }
      return;
    case RandOp::sharpness:
      return sharpness(factor, in, out, height, width);
    case RandOp::rotate:
      return warp(rotation(value, height, width), in, out, height, width, fill);
    case RandOp::shear_x:
      return warp({1, value, 0, 0, 1, 0}, in, out, height, width, fill);
    case RandOp::shear_y:
      return warp({1, 0, 0, value, 1, 0}, in, out, height, width, fill);
    case RandOp::translate_x:
      return warp({1, 0, value * static_cast<double>(width), 0, 1, 0}, in, out, height, width, fill);
    case RandOp::translate_y:
      return warp({1, 0, 0, 0, 1, value * static_cast<double>(height)}, in, out, height, width, fill);
  }
}

void rand_augment(std::span<uint8_t> image, std::span<uint8_t> scratch, int64_t height, int64_t width,
                  const RandAugmentConfig& config, const Fill& fill, Stream& stream) {
  for (int i = 0; i < config.ops; ++i) {
    // All numbers are drawn even if they are not used, so that the draws of the next operation do not depend on them.
    const auto op = static_cast<RandOp>(stream.below(kRandOps));
    const bool apply = stream.chance(config.prob), negative = stream.chance(0.5);
    const double magnitude = std::clamp(config.magnitude + config.noise * stream.normal(), 0.0, 10.0);
    if (!apply || op == RandOp::identity) continue;
    apply_rand_op(op, rand_op_value(op, magnitude, negative), image.data(), scratch.data(), height, width, fill);
    std::copy(scratch.begin(), scratch.end(), image.begin());
  }
}

}  // namespace hv::data
