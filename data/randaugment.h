// RandAugment (Cubuk et al. 2019): the paper's 14 operations on bytes, PIL's arithmetic, timm's "increasing" magnitudes.
//
// Geometric operations sample bilinearly; pixels from outside the image get `fill`.
// Thread rule: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/random.h"

namespace hv::data {

enum class RandOp {
  identity,
  auto_contrast,
  equalize,
  rotate,
  solarize,
  color,
  posterize,
  contrast,
  brightness,
  sharpness,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
};
inline constexpr int kRandOps = 14;
const char* rand_op_name(RandOp op);

using Fill = std::array<uint8_t, 3>;

// What an operation does at magnitude m (0..10); `negative` flips the sign or the direction if it has one:
//   rotate 3m degrees, shear 0.03m, translate 0.045m of the side, enhance 1 + 0.09m (or 1 - 0.09m, at least 0.1),
//   posterize 4 - int(0.4m) bits kept, solarize from 256 - int(25.6m) up.
double rand_op_value(RandOp op, double magnitude, bool negative);
// in -> out, planes [3, h, w]; they must not overlap.
void apply_rand_op(RandOp op, double value, const uint8_t* in, uint8_t* out, int64_t height, int64_t width, const Fill& fill);

struct RandAugmentConfig {
  int ops = 2;
  double magnitude = 9, noise = 0.5, prob = 0.5;
};
// Changes `image` in place; `scratch` has the same size.
void rand_augment(std::span<uint8_t> image, std::span<uint8_t> scratch, int64_t height, int64_t width,
                  const RandAugmentConfig& config, const Fill& fill, Stream& stream);

}  // namespace hv::data
