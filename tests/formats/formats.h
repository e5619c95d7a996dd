// A fixture of a format version is a checkpoint of a short run, v<version>.ckpt, and the logits of its model at every width for
// one fixed batch, v<version>.logits (text, one number per line, width by width). Fixtures are written once and never changed.
#pragma once

#include <string>
#include <vector>

#include "core/ops.h"
#include "train/start/setup.h"
#include "train/state/load.h"

namespace hv::formats {

inline const std::string kFolder = "tests/formats";

inline std::vector<double> logits_of(const std::string& path) {
  const train::Loaded loaded = train::load_model(path);
  loaded.model->eval();
  const NoGrad off;
  const int64_t side = loaded.model->image_size(), count = 3 * 3 * side * side;
  const Tensor images = Tensor::empty({3, 3, side, side});
  for (int64_t i = 0; i < count; ++i)
    images.mutable_data()[i] = static_cast<Real>(i * 7919 % 257) / 128 - 1;  // exact in float32
  std::vector<double> all;
  for (const models::Subnet& width : loaded.model->subnets()) {
    for (const double value : loaded.model->forward(images, width).to_vector()) all.push_back(value);
  }
  return all;
}

}  // namespace hv::formats
