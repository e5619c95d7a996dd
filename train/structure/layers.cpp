#include "train/structure/layers.h"

#include <algorithm>

#include "core/check.h"

namespace hv::train {

std::vector<std::vector<std::string>> layer_table(const std::vector<models::LayerSizes>& layers) {
  if (layers.empty()) return {};
  const bool several = layers.size() > 1;
  std::vector<std::vector<std::string>> rows(1);
  if (several) rows[0].push_back(layers[0].axis);
  rows[0].push_back("block");
  for (const models::LayerSizes::Part& part : layers[0].parts) {
    if (!part.pieces.empty()) rows[0].push_back(part.name);
    rows[0].push_back(concat(part.pieces.empty() ? part.name + ", " : "", "of ", part.whole));
  }
  for (const models::LayerSizes& one : layers) {
    for (size_t i = 0; i < one.parts.at(0).sizes.size(); ++i) {
      std::vector<std::string> row;
      if (several) row.push_back(one.value);
      row.push_back(std::to_string(i));
      for (const models::LayerSizes::Part& part : one.parts) {
        if (!part.pieces.empty()) row.push_back(part.pieces.at(i));
        row.push_back(std::to_string(part.sizes.at(i)));
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], row[k].size());
  }
  std::string text;
  for (const auto& row : rows) {
    text += indent;
    for (size_t k = 0; k < row.size(); ++k)
      text += concat(k > 0 ? "  " : "", std::string(widths[k] - row[k].size(), ' '), row[k]);
    text += '\n';
  }
  return text;
}

Json layers_json(const std::vector<models::LayerSizes>& layers) {
  Json all = Json::empty_list();
  for (const models::LayerSizes& one : layers) {
    Json parts = Json::empty_list();
    for (const models::LayerSizes::Part& part : one.parts) {
      Json json{{"name", part.name}, {"of", part.whole}, {"blocks", Json::list(part.sizes)}};
      if (!part.pieces.empty()) json.add("pieces", Json::list(part.pieces));
      parts.push(json);
    }
    Json json;
    if (!one.axis.empty()) json.add(one.axis, one.value);
    all.push(json.add("parts", parts));
  }
  return all;
}

}  // namespace hv::train
