#include "train/answers/label_heat.h"

#include <algorithm>
#include <filesystem>

#include "models/relevance.h"
#include "train/io/fields.h"
#include "train/io/print.h"
#include "train/scores/findings.h"

namespace hv::train {
namespace {

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kMostListed = 20;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMostListed); ++i) text += (i > 0 ? ", " : "") + printable(names[i]);
  return names.size() > kMostListed ? concat(text, " and ", names.size() - kMostListed, " more") : text;
}

int64_t index_of(const std::string& name, const std::vector<std::string>& names) {  // -1: not there
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : found - names.begin();
}

Captioned drawn(const data::Image& image, const Heat& heat, const std::string& caption) {
  return {overlay(image, heat, 0, *std::max_element(heat.values.begin(), heat.values.end())), caption};
}

}  // namespace

std::vector<int64_t> labels_named(const std::string& text, const std::vector<std::string>& class_names) {
  const std::vector<std::string> keys = label_keys(class_names);
  std::vector<int64_t> labels;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    int64_t label = index_of(name, class_names);
    if (label < 0) label = index_of(name, keys);
    HV_CHECK_USAGE(label >= 0, "--labels: no label '", printable(name), "'; known: ", listed(class_names),
                   printable(did_you_mean(name, class_names)));
    HV_CHECK_USAGE(std::find(labels.begin(), labels.end(), label) == labels.end(), "--labels: ", printable(name),
                   " is named twice");
    labels.push_back(label);
    begin = end + 1;
  }
  HV_CHECK_USAGE(labels.size() <= kMostLabels, "--labels: ", labels.size(), " labels; at most ", kMostLabels,
                 " fit into a row");
  return labels;
}

LabelExplainer::LabelExplainer(models::ElasticModel& model, const Header& header, const std::vector<models::Subnet>& widths,
                               const Thresholds& thresholds, int64_t topk, std::vector<int64_t> labels)
    : model_(model),
      header_(header),
      predictor_(model, header, widths, model.classes(), true, thresholds),
      topk_(static_cast<size_t>(topk)),
      labels_(std::move(labels)) {}

Outcome LabelExplainer::look(const ImagePath& image) const {
  std::vector<Outcome> outcomes(1);
  const Tensor input = predictor_.read({&image, 1}, outcomes);
  Outcome& outcome = outcomes[0];
  if (!outcome.problem.empty()) return outcome;
  predictor_.answer(input, outcomes);
  std::vector<int64_t> labels = labels_;
  if (labels.empty()) {
    const auto& classes = outcome.predictions.back().classes;
    for (size_t i = 0; i < std::min(classes.size(), kLabelsShown); ++i) {
      labels.push_back(index_of(classes[i].first, header_.class_names));
    }
  }
  for (Prediction& prediction : outcome.predictions) {
    std::vector<LabelHeat>& row = outcome.labels.emplace_back();
    for (const int64_t label : labels) {
      const Tensor heat = models::relevance(model_, input, prediction.subnet, label);
      HV_CHECK_USAGE(heat.defined(), "--labels: this model has no attention maps that tell labels apart; leave it out");
      const std::string& name = header_.class_names[static_cast<size_t>(label)];
      const auto found = std::find_if(prediction.classes.begin(), prediction.classes.end(),
                                      [&](const auto& guess) { return guess.first == name; });
      const auto place = static_cast<size_t>(found - prediction.classes.begin());
      const char* answer = prediction.thresholds.empty() ? "" : prediction.yes(place) ? " yes" : " no";
      row.push_back({heat_of(heat, 0), concat(printable(name), "\n", print("%.0f%%", 100 * found->second), answer)});
    }
    prediction.classes.resize(std::min(topk_, prediction.classes.size()));
  }
  return outcome;
}

data::Image label_explanation(const std::vector<Outcome>& outcomes) {
  std::vector<std::vector<Captioned>> rows;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.problem.empty()) continue;
    for (size_t w = 0; w < outcome.predictions.size(); ++w) {
      std::vector<Captioned> row{{outcome.shown, printable(std::filesystem::path(outcome.image).filename().string())}};
      row.push_back(drawn(outcome.shown, outcome.heat[w], concat(outcome.predictions[w].subnet.label, "\nattention")));
      for (const LabelHeat& one : outcome.labels[w]) row.push_back(drawn(outcome.shown, one.heat, one.caption));
      rows.push_back(std::move(row));
    }
  }
  const data::Image table = panel(rows);
  return stack(table, colour_key(table.width, "nothing", "the most"));
}

}  // namespace hv::train
