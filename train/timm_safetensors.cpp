#include "train/timm_safetensors.h"

#include <charconv>

namespace hv::train {
namespace {

std::string shortest(double value) {  // the shortest text that reads back as the same number
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

std::string triple(const std::array<double, 3>& values) {
  return concat(shortest(values[0]), ' ', shortest(values[1]), ' ', shortest(values[2]));
}

}  // namespace

Metadata timm_metadata(const TimmModel& model) {
  Metadata metadata = models::to_config(model.config);
  metadata["format"] = "pt";  // what several loaders ask for: the tensors are laid out as PyTorch's
  std::string names;
  for (const std::string& name : model.class_names) names += (names.empty() ? "" : "\n") + name;
  metadata["class_names"] = names;
  metadata["mean"] = triple(model.mean);
  metadata["std"] = triple(model.std);
  return metadata;
}

void write_timm_safetensors(const std::string& path, const TimmModel& model) {
  std::vector<TensorToWrite> tensors;
  for (const TimmTensor& tensor : model.tensors) {
    tensors.push_back({tensor.name, "F32", tensor.shape, [&tensor](const Put& put) {
                         const Tensor packed = tensor.packed();  // one tensor at a time
                         put(packed.data(), sizeof(float) * static_cast<size_t>(packed.numel()));
                       }});
  }
  write_safetensors(path, timm_metadata(model), std::move(tensors));
}

}  // namespace hv::train
