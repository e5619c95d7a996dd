// A model whose subnetworks look at an image in turn, and whose logits a test can compute by hand: for tests of cascades.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "core/random.h"
#include "models/elastic.h"

namespace hv::cascade_fixtures {

inline constexpr int64_t kClasses = 12, kPixels = 12;

inline const std::vector<models::Subnet> looks = {{"looks1", "looks=1", 0, {{"looks", 1}}},
                                                  {"looks2", "looks=2", 1, {{"looks", 2}}},
                                                  {"looks3", "looks=3", 2, {{"looks", 3}}}};

// Logits are plain loops over one image, so a row has the same bits in any batch. If it goes on, its logits are also those of
// the look before, whose rows must be of the same images.
struct Looks : models::ElasticModel {
  explicit Looks(bool on) : goes_on(on) {}
  const std::vector<models::Subnet>& subnets() const override { return looks; }
  Tensor forward(const Tensor& images, const models::Subnet& subnet) override {
    models::Look at;
    for (int64_t s = goes_on ? 0 : subnet.id; s <= subnet.id; ++s) at = look(images, looks[static_cast<size_t>(s)], at);
    return at.logits;
  }
  models::Look look(const Tensor& images, const models::Subnet& subnet, const models::Look& before) override {
    const int64_t batch = images.size(0);
    passes[static_cast<size_t>(subnet.id)].push_back(batch);
    models::Look now{Tensor::empty({batch, kClasses}), goes_on ? Tensor::empty({batch, 2, 1}) : Tensor()};
    const bool first = subnet.id == 0 || !goes_on;
    REQUIRE(before.memory.defined() == !first);
    REQUIRE(before.logits.defined() == !first);
    for (int64_t b = 0; b < batch; ++b) {
      const Real* image = images.data() + b * kPixels;
      Real* logits = now.logits.mutable_data() + b * kClasses;
      const Real* memory = first ? nullptr : before.memory.data() + b * 2;
      if (memory) REQUIRE(memory[0] == image[0]);
      if (memory) REQUIRE(memory[1] == static_cast<Real>(subnet.id));
      for (int64_t k = 0; k < kClasses; ++k) {
        logits[k] = image[k] * static_cast<Real>(subnet.id + 1);
        if (memory) logits[k] += before.logits.at({b, k}) / 2 + memory[0];
      }
      if (!goes_on) continue;
      now.memory.mutable_data()[b * 2] = image[0];
      now.memory.mutable_data()[b * 2 + 1] = static_cast<Real>(subnet.id + 1);
    }
    return now;
  }
  bool continues() const override { return goes_on; }
  std::vector<Tensor> active(const models::Subnet&) const override { return {}; }
  int64_t params(const models::Subnet& s) const override { return 10 * (s.id + 1); }
  int64_t macs(const models::Subnet& s) const override { return 1000 * (s.id + 1) * (s.id + 1); }
  std::unique_ptr<models::ElasticModel> extract(const models::Subnet&) const override { return nullptr; }
  models::Config config() const override { return {{"model", "looks"}}; }
  int64_t classes() const override { return kClasses; }
  int64_t image_size() const override { return 2; }
  bool goes_on;
  std::vector<int64_t> passes[3];
};

// Every fifth image is the one before it, so that there are ties.
inline Tensor make_images(int64_t count) {
  Stream stream(3, Purpose::init);
  Tensor images = Tensor::normal({count, 3, 2, 2}, 0, 1, stream);
  for (int64_t i = 4; i < count; i += 5) images.slice(0, i, i + 1).copy_(images.slice(0, i - 1, i));
  return images;
}

}  // namespace hv::cascade_fixtures
