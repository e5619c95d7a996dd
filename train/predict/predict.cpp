#include "train/predict/predict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <numeric>

#include "core/ops.h"
#include "core/parallel.h"
#include "data/augment.h"
#include "train/io/printable.h"
#include "train/scores/calibration.h"

namespace hv::train {
namespace {

constexpr int64_t kShownSide = 192;  // pixels; pictures of an explanation are at least so large, so that a caption fits below

int64_t shown_side(int64_t side) { return (kShownSide + side - 1) / side * side; }

data::Image shown(const data::Image& original, int64_t side) {
  const int64_t large = shown_side(side);
  if (std::min(original.height, original.width) > side) return data::resize_and_crop(original, large);
  return enlarge(data::resize_and_crop(original, side), large);
}

}  // namespace

Predictor::Predictor(models::ElasticModel& model, const Header& header, std::vector<models::Subnet> widths, int64_t topk,
                     bool explain, Thresholds thresholds)
    : model_(model),
      header_(header),
      widths_(std::move(widths)),
      topk_(topk),
      explain_(explain),
      thresholds_(std::move(thresholds)) {
  const NoGrad off;
  const int64_t side = model.image_size();
  HV_CHECK_USAGE(!explain || model.rollout(Tensor::zeros({1, 3, side, side}), widths_.at(0)).defined(),
                 "--explain: this model has no attention to show; a vision transformer does (train --preset nano)");
}

std::vector<Outcome> Predictor::look(std::span<const ImagePath> images) const {
  std::vector<Outcome> outcomes(images.size());
  answer(read(images, outcomes), outcomes);
  return outcomes;
}

void Predictor::answer(const Tensor& input, std::vector<Outcome>& outcomes) const {
  const NoGrad off;
  if (input.size(0) == 0) return;
  for (const models::Subnet& width : widths_) {
    const Tensor logits = model_.forward(input, width).contiguous();
    const Tensor rollout = explain_ ? model_.rollout(input, width) : Tensor();
    int64_t row = 0;
    for (Outcome& outcome : outcomes) {
      if (!outcome.problem.empty()) continue;
      outcome.predictions.push_back(predict(outcome.image, width, logits.data() + row * model_.classes()));
      if (explain_) outcome.heat.push_back(heat_of(rollout, row));
      ++row;
    }
  }
}

Prediction Predictor::predict(const std::string& image, const models::Subnet& width, const Real* logits) const {
  const NoGrad off;
  const Tensor row = Tensor::empty({model_.classes()});
  std::copy_n(logits, row.numel(), row.mutable_data());
  std::vector<double> probability = models::probabilities(model_, row).to_vector();
  const bool independent = model_.independent();
  // In double, as when thresholds were chosen: the picture that a threshold comes from is a "yes".
  for (size_t k = 0; k < probability.size() && independent; ++k) {
    probability[k] = train::probability(static_cast<double>(row.data()[k]));
  }
  HV_CHECK_INPUT(std::all_of(probability.begin(), probability.end(), [](double p) { return std::isfinite(p); }),
                 "predict: ", width.label, ": the probabilities are no numbers: the checkpoint's weights are unusable");
  Prediction prediction{image, width, {}};
  for (const size_t k : most_probable(probability)) {
    prediction.classes.emplace_back(header_.class_names[k], probability[k]);
    if (independent) prediction.thresholds.push_back(threshold(width, k));
  }
  return prediction;
}

double Predictor::threshold(const models::Subnet& width, size_t label) const {
  for (size_t w = 0; w < thresholds_.size(); ++w) {
    if (widths_.at(w).id == width.id && !std::isnan(thresholds_[w].at(label))) return thresholds_[w][label];
  }
  return kPlainThreshold;
}

Tensor Predictor::read(std::span<const ImagePath> images, std::vector<Outcome>& outcomes) const {
  const int64_t side = model_.image_size(), count = static_cast<int64_t>(images.size());
  std::vector<data::Image> squares(images.size());
  std::vector<std::exception_ptr> caught(images.size());
  // The function below must not throw, not even for lack of memory. So the texts of problems are made after the loop.
  parallel_for(count, [&](int64_t index) {
    const auto i = static_cast<size_t>(index);
    if (!images[i].problem.empty()) return;
    try {
      data::with_image(images[i].path, std::max(side, kShownSide), [&](const data::Image& original) {
        squares[i] = data::resize_and_crop(original, side);
        if (explain_) outcomes[i].shown = shown(original, side);
      });
    } catch (...) {
      caught[i] = std::current_exception();
    }
  });
  for (size_t i = 0; i < images.size(); ++i) {
    outcomes[i].image = images[i].path;
    outcomes[i].problem = images[i].problem;
    if (!caught[i]) continue;
    try {
      std::rethrow_exception(caught[i]);
    } catch (const std::bad_alloc&) {
      outcomes[i].problem = images[i].path + ": not enough memory for this picture";
    } catch (const std::exception& error) {
      outcomes[i].problem = error.what();
    }
  }
  const auto good =
      std::count_if(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) { return outcome.problem.empty(); });
  const Tensor input = Tensor::empty({good, 3, side, side});
  const data::Normalizer normalize({header_.mean, header_.std});
  Real* next = good > 0 ? input.mutable_data() : nullptr;
  for (size_t i = 0; i < squares.size(); ++i) {
    if (!outcomes[i].problem.empty()) continue;
    normalize(squares[i].chw.data(), side * side, next);
    next += 3 * side * side;
  }
  return input;
}

std::vector<size_t> Predictor::most_probable(const std::vector<double>& probability) const {
  std::vector<size_t> order(header_.class_names.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return probability[a] > probability[b]; });
  if (static_cast<int64_t>(order.size()) > topk_) order.resize(static_cast<size_t>(topk_));
  return order;
}

double explanation_bytes(size_t images, size_t widths, int64_t side) {
  const double large = static_cast<double>(shown_side(side)), pictures = static_cast<double>(images * (widths + 1));
  return 3 * 3 * large * (large + kShownSide) * pictures;  // the overlays with captions, the table, the table over its key
}

data::Image explanation(const std::vector<Outcome>& outcomes, const std::vector<models::Subnet>& widths) {
  std::vector<std::vector<Captioned>> rows;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.problem.empty()) continue;
    std::vector<double> values;
    for (const Heat& heat : outcome.heat) values.insert(values.end(), heat.values.begin(), heat.values.end());
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    std::vector<Captioned> row{{outcome.shown, printable(std::filesystem::path(outcome.image).filename().string())}};
    for (size_t w = 0; w < widths.size(); ++w) {
      const auto& [name, probability] = outcome.predictions[w].classes.at(0);
      char percent[32];
      std::snprintf(percent, sizeof percent, "%.0f%% ", 100 * probability);
      row.push_back(
          {overlay(outcome.shown, outcome.heat[w], *low, *high), concat(widths[w].label, "\n", percent, printable(name))});
    }
    rows.push_back(std::move(row));
  }
  const data::Image table = panel(rows);
  return stack(table, colour_key(table.width, "little", "much attention"));
}

}  // namespace hv::train
