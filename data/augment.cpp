#include "data/augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/check.h"
#include "data/randaugment.h"

namespace hv::data {

const std::vector<std::string>& augment_presets() {
  static const std::vector<std::string> names = {"none", "basic", "full", "xray"};
  return names;
}

AugmentConfig augment_preset(const std::string& name) {
  AugmentConfig config;
  if (name == "none") return config;
  config.crop = true;
  if (name == "xray") {
    config.rotate = 7;
    return config;
  }
  config.flip = true;
  if (name == "basic") return config;
  HV_CHECK_USAGE(name == "full", "augment: unknown preset: ", name, ": choose one of none, basic, full, xray");
  config.ra_ops = 2;
  config.erase_prob = 0.25;
  config.mixup_alpha = 0.8;
  config.cutmix_alpha = 1.0;
  return config;
}

void check_augment(const AugmentConfig& c) {
  const auto range = [](const char* what, double value, double low, double high) {
    HV_CHECK_USAGE(value >= low && value <= high, "augment: ", what, " out of range: ", value, ": expected ", low, " to ",
                   high);
  };
  range("rotation", c.rotate, 0, 180);
  range("RandAugment operations", c.ra_ops, 0, 16);
  range("RandAugment magnitude", c.ra_magnitude, 0, 10);
  range("RandAugment noise", c.ra_noise, 0, 10);
  range("RandAugment probability", c.ra_prob, 0, 1);
  range("erasing probability", c.erase_prob, 0, 1);
  range("mixup alpha", c.mixup_alpha, 0, 100);
  range("cutmix alpha", c.cutmix_alpha, 0, 100);
  range("mixing probability", c.mix_prob, 0, 1);
  range("cutmix switch probability", c.switch_prob, 0, 1);
}

void shift_flip(const uint8_t* in, uint8_t* out, int64_t height, int64_t width, int64_t dy, int64_t dx,
                const std::array<uint8_t, 3>& fill, bool flip) {
  // Columns [from, to) of the result come from inside the image; they are one stretch of memory.
  const int64_t from = std::clamp<int64_t>(-dx, 0, width), to = std::clamp<int64_t>(width - dx, from, width);
  for (int64_t row = 0; row < 3 * height; ++row, out += width) {
    const int64_t y = row % height + dy;
    const int outside = fill[static_cast<size_t>(row / height)];
    if (y < 0 || y >= height) {
      std::memset(out, outside, static_cast<size_t>(width));
      continue;
    }
    std::memset(out, outside, static_cast<size_t>(from));
    std::memcpy(out + from, in + (row + dy) * width + from + dx, static_cast<size_t>(to - from));
    std::memset(out + to, outside, static_cast<size_t>(width - to));
    if (flip) std::reverse(out, out + width);
  }
}

Normalizer::Normalizer(const Normalization& n) : table_{} {
  for (size_t c = 0; c < 3; ++c)
    for (size_t v = 0; v < 256; ++v) table_[c][v] = static_cast<Real>((static_cast<double>(v) / 255.0 - n.mean[c]) / n.std[c]);
}

void Normalizer::operator()(const uint8_t* chw, int64_t plane, Real* out) const {
  for (const auto& table : table_)
    for (int64_t i = 0; i < plane; ++i) *out++ = table[*chw++];
}

Box erase_box(int64_t height, int64_t width, Stream& stream) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = stream.uniform(0.02, 1.0 / 3.0) * static_cast<double>(height * width);
    const double aspect = std::exp(stream.uniform(std::log(0.3), std::log(3.3)));
    const auto h = static_cast<int64_t>(std::lround(std::sqrt(area * aspect)));
    const auto w = static_cast<int64_t>(std::lround(std::sqrt(area / aspect)));
    if (h >= height || w >= width) continue;
    const int64_t top = stream.below(static_cast<uint32_t>(height - h + 1));
    const int64_t left = stream.below(static_cast<uint32_t>(width - w + 1));
    return {top, left, top + h, left + w};
  }
  return {};
}

void erase(Real* chw, int64_t height, int64_t width, const Box& box, Stream& stream) {
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = box.top; y < box.bottom; ++y)
      for (int64_t x = box.left; x < box.right; ++x) chw[(c * height + y) * width + x] = static_cast<Real>(stream.normal());
}

Box cut_box(int64_t height, int64_t width, double lambda, int64_t cy, int64_t cx) {
  const double side = std::sqrt(1.0 - lambda);
  const auto half_h = static_cast<int64_t>(static_cast<double>(height) * side) / 2;
  const auto half_w = static_cast<int64_t>(static_cast<double>(width) * side) / 2;
  return {std::max<int64_t>(cy - half_h, 0), std::max<int64_t>(cx - half_w, 0), std::min(cy + half_h, height),
          std::min(cx + half_w, width)};
}

Mix draw_mix(const AugmentConfig& config, int64_t height, int64_t width, Stream& stream) {
  Mix mix;
  if (!config.mixes() || !stream.chance(config.mix_prob)) return mix;
  mix.active = true;
  const bool both = config.mixup_alpha > 0 && config.cutmix_alpha > 0;
  mix.cutmix = both ? stream.chance(config.switch_prob) : config.cutmix_alpha > 0;
  const double alpha = mix.cutmix ? config.cutmix_alpha : config.mixup_alpha;
  mix.lambda = stream.beta(alpha, alpha);
  if (mix.cutmix) {
    const int64_t cy = stream.below(static_cast<uint32_t>(height)), cx = stream.below(static_cast<uint32_t>(width));
    mix.box = cut_box(height, width, mix.lambda, cy, cx);
    // The box may be clipped at the border, so lambda follows the area that is replaced.
    mix.lambda = 1.0 - static_cast<double>(mix.box.area()) / static_cast<double>(height * width);
  }
  return mix;
}

void mix_images(Real* images, int64_t batch, int64_t height, int64_t width, const Mix& mix) {
  if (!mix.active) return;
  const int64_t plane = height * width, image = 3 * plane;
  const auto own = static_cast<Real>(mix.lambda), other = static_cast<Real>(1.0 - mix.lambda);
  // The pair (i, B - 1 - i) is mixed in one pass; the middle image of an odd batch is its own partner and stays.
  for (int64_t i = 0; i < batch / 2; ++i) {
    Real* a = images + i * image;
    Real* b = images + (batch - 1 - i) * image;
    if (mix.cutmix) {
      const int64_t length = mix.box.right - mix.box.left;
      for (int64_t c = 0; c < 3; ++c)
        for (int64_t y = mix.box.top; y < mix.box.bottom; ++y) {
          const int64_t at = c * plane + y * width + mix.box.left;
          std::swap_ranges(a + at, a + at + length, b + at);
        }
    } else {
      for (int64_t j = 0; j < image; ++j) {
        const Real x = a[j], y = b[j];
        a[j] = own * x + other * y;
        b[j] = own * y + other * x;
      }
    }
  }
}

void mix_targets(Real* targets, int64_t batch, int64_t classes, const Mix& mix) {
  if (!mix.active) return;
  const Real own = static_cast<Real>(mix.lambda), other = static_cast<Real>(1.0 - mix.lambda);
  for (int64_t i = 0; 2 * i < batch; ++i) {
    Real *first = targets + i * classes, *second = targets + (batch - 1 - i) * classes;  // the same row in the middle
    for (int64_t k = 0; k < classes; ++k) {
      const Real a = first[k], b = second[k];
      first[k] = own * a + other * b;
      second[k] = own * b + other * a;
    }
  }
}

Augmenter::Augmenter(const Dataset& dataset, const AugmentConfig& config, uint64_t seed)
    : dataset_(dataset),
      config_(config),
      seed_(seed),
      normalize_(config.normalization.value_or(dataset.normalization())),
      fill_{},
      image_(static_cast<size_t>(dataset.image_bytes())),
      other_(image_.size()) {
  check_augment(config);
  for (size_t c = 0; c < 3; ++c)
    fill_[c] = static_cast<uint8_t>(std::clamp(std::lround(255.0 * dataset.normalization().mean[c]), 0l, 255l));
}

void Augmenter::load(int64_t epoch, int64_t sample, Real* out) {
  const int64_t height = dataset_.height(), width = dataset_.width();
  const auto stream = [&](Purpose purpose) {
    return Stream(seed_, purpose, static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample));
  };
  dataset_.image(sample, image_.data());
  if (config_.crop || config_.flip) {
    int64_t dy = 0, dx = 0;
    if (config_.crop) {
      const int64_t pad_h = std::max<int64_t>(4, height / 8), pad_w = std::max<int64_t>(4, width / 8);
      Stream draw = stream(Purpose::crop);
      dy = static_cast<int64_t>(draw.below(static_cast<uint32_t>(2 * pad_h + 1))) - pad_h;
      dx = static_cast<int64_t>(draw.below(static_cast<uint32_t>(2 * pad_w + 1))) - pad_w;
    }
    const bool flip = config_.flip && stream(Purpose::flip).chance(0.5);
    // Filled with the mean colour, which normalisation maps to 0; black bars would be the strongest signal in the image.
    shift_flip(image_.data(), other_.data(), height, width, dy, dx, fill_, flip);
    image_.swap(other_);
  }
  if (config_.rotate > 0) {
    const double degrees = stream(Purpose::rotate).uniform(-config_.rotate, config_.rotate);
    apply_rand_op(RandOp::rotate, degrees, image_.data(), other_.data(), height, width, fill_);
    image_.swap(other_);
  }
  if (config_.ra_ops > 0) {
    Stream draw = stream(Purpose::rand_augment);
    rand_augment(image_, other_, height, width, {config_.ra_ops, config_.ra_magnitude, config_.ra_noise, config_.ra_prob},
                 fill_, draw);
  }
  normalize_(image_.data(), height * width, out);
  if (config_.erase_prob > 0) {
    Stream draw = stream(Purpose::erase);
    if (draw.chance(config_.erase_prob)) erase(out, height, width, erase_box(height, width, draw), draw);
  }
}

}  // namespace hv::data
