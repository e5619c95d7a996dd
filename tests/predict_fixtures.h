// What the tests of predict share: pictures of shapes10, a small model, its checkpoint, a reader of CSV.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/random.h"
#include "data/image.h"
#include "data/shapes10.h"
#include "models/kinds.h"
#include "tests/data_fixtures.h"
#include "train/state/checkpoint.h"

namespace hv::fixtures {

inline data::Image shape_image(int64_t index) {
  std::vector<uint8_t> record(3073);
  data::draw_shape_record(3, data::Split::test, index, record.data());
  return {32, 32, {record.begin() + 1, record.end()}};
}

inline void write_shape(const std::string& path, int64_t index) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  data::write_png(path, shape_image(index));
}

inline train::Header shapes_header(const models::ElasticModel& model) {
  train::Header header;
  header.model = model.config();
  header.class_names = data::shapes10_classes();
  header.mean = {0.5, 0.4, 0.3};
  header.std = {0.25, 0.2, 0.3};
  return header;
}

// Weights that look different at each width; a checkpoint of them at `path`, trained for `heads`.
inline std::unique_ptr<models::ElasticModel> make_nano(const std::string& path = "", const std::string& heads = "") {
  auto model = models::make_model(models::named_model("nano", 10), 5);
  model->eval();
  const NoGrad off;
  Stream stream(1, Purpose::init);
  std::vector<train::NamedTensor> tensors;
  for (const nn::Parameter& p : model->parameters()) {
    p.value.add_(Tensor::normal(p.value.shape(), 0, 0.1, stream));
    tensors.push_back({"model." + p.name, p.value});
  }
  train::Header header = shapes_header(*model);
  if (!heads.empty()) header.options["heads"] = heads;
  if (!path.empty()) train::save_checkpoint(path, header, tensors);
  return model;
}

// Reads CSV as RFC 4180 describes it, so that what was written is what a spreadsheet would see.
inline std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows(1, {""});
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"')
      rows.back().back() += text[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && c == ',')
      rows.back().push_back("");
    else if (!quoted && c == '\n')
      rows.push_back({""});
    else
      rows.back().back() += c;
  }
  rows.pop_back();
  return rows;
}

}  // namespace hv::fixtures
