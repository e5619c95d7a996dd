#include "train/describe/label_table.h"

#include <algorithm>

#include "train/io/print.h"

namespace hv::train {
namespace {

long long wide(int64_t value) { return static_cast<long long>(value); }

}  // namespace

Lines label_table(const std::vector<std::string>& labels, const std::vector<data::SplitCounts>& splits) {
  Lines lines;
  const auto add = [&](const std::string& title, const auto& value) {
    std::string line = print("%-24s", title.c_str());
    for (const data::SplitCounts& one : splits) line += print(" %10s", value(one).c_str());
    lines.push_back(line);
  };
  const auto number = [&](const std::string& title, const auto& value) {
    add(title, [&](const data::SplitCounts& one) { return std::to_string(value(one.counts)); });
  };
  add("images with", [](const data::SplitCounts& one) { return std::string(data::split_name(one.split)); });
  for (size_t k = 0; k < labels.size(); ++k) {
    number(labels[k], [&](const data::LabelCounts& counts) { return counts.positives[k]; });
  }
  number("no label", [](const data::LabelCounts& counts) { return counts.none; });
  number("all images", [](const data::LabelCounts& counts) { return counts.images; });
  if (std::any_of(splits.begin(), splits.end(), [](const auto& one) { return one.counts.groups > 0; }))
    number("patients", [](const data::LabelCounts& counts) { return counts.groups; });
  return lines;
}

Lines together_table(const std::vector<std::string>& labels, const data::LabelCounts& counts) {
  Lines lines = {print("%-27s", "images with both")};
  for (size_t k = 0; k < labels.size(); ++k) lines[0] += print(" %6zu", k);
  for (size_t a = 0; a < labels.size(); ++a) {
    std::string line = print("%2zu %-24s", a, labels[a].c_str());
    for (size_t b = 0; b < labels.size(); ++b) line += print(" %6lld", wide(counts.together[a * labels.size() + b]));
    lines.push_back(line);
  }
  return lines;
}

Json splits_json(const std::vector<std::string>& labels, const std::vector<data::SplitCounts>& splits) {
  Json all;
  for (const auto& [split, counts] : splits) {
    Json positives, together = Json::empty_list();
    for (size_t k = 0; k < labels.size(); ++k) {
      positives.add(labels[k], counts.positives[k]);
      const auto row = counts.together.begin() + std::ssize(labels) * static_cast<int64_t>(k);
      together.push(Json::list(std::vector<int64_t>(row, row + std::ssize(labels))));
    }
    all.add(data::split_name(split), Json{{"images", counts.images},
                                          {"patients", counts.groups},
                                          {"no_label", counts.none},
                                          {"positives", positives},
                                          {"together", together}});
  }
  return all;
}

}  // namespace hv::train
