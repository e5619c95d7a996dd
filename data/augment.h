// Random changes of training images, each a function of (seed, epoch, sample) or (seed, epoch, batch) alone.
//
// Order, as in timm: crop, flip, rotation, RandAugment (bytes) -> normalisation -> random erasing -> mixup or cutmix of the
// whole batch.
// Label smoothing belongs to the loss (core/ops.h).
// Thread rule: functions are pure; an Augmenter holds scratch memory, one per thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/storage.h"
#include "data/dataset.h"

namespace hv::data {

struct AugmentConfig {
  bool crop = false;  // pads by 4 pixels (larger images by 1/8) with the mean colour, then cuts a random window of the old size
  bool flip = false;  // left-right with probability 1/2
  double rotate =
      0;           // degrees: the image is rotated by a random angle of at most this much, either way, with bilinear sampling
  int ra_ops = 0;  // RandAugment: operations per image, each applied with probability ra_prob
  double ra_magnitude = 9;  // 0..10 (timm's scale)
  double ra_noise = 0.5;    // standard deviation of the magnitude
  double ra_prob = 0.5;
  double erase_prob = 0;                            // random erasing, pixel noise
  double mixup_alpha = 0;                           // 0: off
  double cutmix_alpha = 0;                          // 0: off
  double mix_prob = 1;                              // share of batches that are mixed, if either is on
  double switch_prob = 0.5;                         // share of cutmix among them, if both are on
  std::optional<Normalization> normalization = {};  // default: the data set's; imported models have their own

  bool mixes() const { return mix_prob > 0 && (mixup_alpha > 0 || cutmix_alpha > 0); }
};

// "none", "basic" (crop, flip), "full" (all, with the values of DeiT and HydraViT), "xray" (crop, rotation by up to 7 degrees;
// no flip, because the heart is on the left). Unknown: an error (Fault::usage).
AugmentConfig augment_preset(const std::string& name);
const std::vector<std::string>& augment_presets();
void check_augment(const AugmentConfig& config);  // ranges; Fault::usage

// --- on bytes: planes [3, h, w] ---------------------------------------------------------------------------------------------
// out(y, x) = in(y + dy, x + dx), `fill` (one byte per channel) outside the image; then flipped left-right if `flip`.
void shift_flip(const uint8_t* in, uint8_t* out, int64_t height, int64_t width, int64_t dy, int64_t dx,
                const std::array<uint8_t, 3>& fill, bool flip);

// --- bytes to numbers -------------------------------------------------------------------------------------------------------
class Normalizer {
 public:
  explicit Normalizer(const Normalization& normalization);
  void operator()(const uint8_t* chw, int64_t plane, Real* out) const;

 private:
  std::array<std::array<Real, 256>, 3> table_;
};

// --- on numbers -------------------------------------------------------------------------------------------------------------
struct Box {
  int64_t top = 0, left = 0, bottom = 0, right = 0;  // half open
  int64_t area() const { return (bottom - top) * (right - left); }
};

// Random erasing: area 2 % to 33 %, aspect 0.3 to 3.3, ten tries; an empty box if none fits. Draws from `stream`.
Box erase_box(int64_t height, int64_t width, Stream& stream);
void erase(Real* chw, int64_t height, int64_t width, const Box& box, Stream& stream);  // fills with N(0, 1)

// What happens to a whole batch. Image i is mixed with image B - 1 - i.
struct Mix {
  bool active = false, cutmix = false;
  double lambda = 1;  // the share of an image's own label
  Box box;            // cutmix: what comes from the partner
};
Mix draw_mix(const AugmentConfig& config, int64_t height, int64_t width, Stream& stream);
Box cut_box(int64_t height, int64_t width, double lambda, int64_t cy, int64_t cx);  // clipped, of area about 1 - lambda
void mix_images(Real* images, int64_t batch, int64_t height, int64_t width, const Mix& mix);  // in place, [B, 3, h, w]
void mix_targets(Real* targets, int64_t batch, int64_t classes, const Mix& mix);              // in place, [B, classes]

// --- all that happens to one image ------------------------------------------------------------------------------------------
class Augmenter {
 public:
  Augmenter(const Dataset& dataset, const AugmentConfig& config, uint64_t seed);
  // Reads image `sample` and writes the normalised, augmented [3, h, w].
  void load(int64_t epoch, int64_t sample, Real* out);

 private:
  const Dataset& dataset_;
  AugmentConfig config_;
  uint64_t seed_;
  Normalizer normalize_;
  std::array<uint8_t, 3> fill_;
  std::vector<uint8_t> image_, other_;
};

}  // namespace hv::data
