#include "train/predict/evaluated.h"

#include "train/exchange/timm_safetensors.h"

namespace hv::train {

void write_evaluated(const std::string& path, const Loaded& loaded, const data::Dataset& test,
                     const std::vector<int64_t>& images, const std::vector<Result>& results,
                     const std::vector<std::vector<float>>& logits) {
  const int64_t n = std::ssize(images), classes = test.classes();
  std::vector<TensorToWrite> tensors;
  for (size_t w = 0; w < results.size(); ++w) {
    tensors.push_back({"logits." + results[w].subnet.name, "F32", {n, classes}, [&logits, w](const Put& put) {
                         put(logits[w].data(), sizeof(float) * logits[w].size());
                       }});
  }
  tensors.push_back({"labels", "I64", {n}, [&](const Put& put) {
                       for (const int64_t i : images) {
                         const int64_t label = test.label(i);
                         put(&label, sizeof label);
                       }
                     }});
  tensors.push_back({"images", "U8", {n, 3, test.height(), test.width()}, [&](const Put& put) {
                       std::vector<uint8_t> image(static_cast<size_t>(test.image_bytes()));
                       for (const int64_t i : images) {
                         test.image(i, image.data());
                         put(image.data(), image.size());
                       }
                     }});
  std::string names;
  for (const std::string& name : loaded.header.class_names) names += name + "\n";
  write_safetensors(path,
                    {{"class_names", names},
                     {"mean", triple_text(loaded.header.mean)},
                     {"std", triple_text(loaded.header.std)},
                     {"data", test.name()},
                     {"data_checksum", test.checksum()}},
                    std::move(tensors));
}

}  // namespace hv::train
