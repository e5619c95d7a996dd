#include "train/findings/charts.h"

#include <algorithm>
#include <cmath>

#include "train/findings/together.h"
#include "train/io/print.h"
#include "train/scores/calibration.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

const Colour kGrey = {"#57606a", "#c5ccd3"};

Series line(const std::string& name, const Colour& colour, int64_t marker) {
  Series series;
  series.name = name;
  series.colour = colour;
  series.marker = marker;
  return series;
}

// A line of its own for each of many labels: six colours and six shapes, which meet again after 36.
Series label_line(const std::string& name, size_t i) {
  Series series = line(shortened(name, 24), group_colour(static_cast<int64_t>(i)), static_cast<int64_t>(i + i / 6));
  series.dashed = i / 6 % 2 == 1;
  return series;
}

std::string widest_name(const Judged& judged) { return subnet_text(judged.best().subnet); }

}  // namespace

std::string score_text(double value) { return std::isfinite(value) ? print("%.3f", value) : "n/a"; }

std::vector<std::vector<std::string>> score_rows(const Judged& judged, const std::vector<size_t>& shown) {
  const Result& best = judged.best();
  const bool f1 = judged.validation > 0, averaged = judged.averaged.has_value();
  std::vector<std::vector<std::string>> rows = {{"finding", "positives", "AUROC", "low", "high", "AP"}};
  if (f1) rows[0].insert(rows[0].end(), {"F1", "threshold"});
  if (averaged) rows[0].push_back("averaged weights");
  for (const Result& result : judged.results) {
    if (&result != &best) rows[0].push_back("at " + subnet_text(result.subnet));
  }
  // `of` gives a metric of a result: "auroc", "_low".
  const auto add = [&](const std::string& name, const std::string& positives, const auto& of, const std::string& threshold) {
    std::vector<std::string> row = {name, positives};
    for (const char* end : {"", "_low", "_high"}) row.push_back(score_text(of(best, "auroc", end)));
    row.push_back(score_text(of(best, "ap", "")));
    if (f1) row.insert(row.end(), {score_text(of(best, "f1", "")), threshold});
    if (averaged) row.push_back(score_text(of(*judged.averaged, "auroc", "")));
    for (const Result& result : judged.results) {
      if (&result != &best) row.push_back(score_text(of(result, "auroc", "")));
    }
    rows.push_back(std::move(row));
  };
  for (const size_t k : shown) {
    const auto of = [&](const Result& result, const std::string& what, const std::string& end) {
      return judged.of(result, what, k, end);
    };
    add(judged.labels[k], print("%.0f", judged.of(best, "positives", k)), of, score_text(judged.of(best, "threshold", k)));
  }
  const auto mean = [&](const Result& result, const std::string& what, const std::string& end) {
    return result.metric(what == "ap" ? "map" : what + end);
  };
  const double count = best.metric("labels");
  add(count < static_cast<double>(judged.labels.size()) ? print("mean of %.0f", count) : "mean", "", mean, "");
  return rows;
}

std::vector<Point> corners(const std::vector<RocPoint>& curve) {
  constexpr double kNear = 0.5 / kPanelSide;
  std::vector<Point> kept;
  for (size_t i = 0; i < curve.size(); ++i) {
    const Point at = {curve[i].false_positives, curve[i].true_positives};
    if (i > 0 && i + 1 < curve.size()) {
      const Point& last = kept.back();
      const double x = at.x - last.x, y = at.y - last.y;
      if (std::hypot(x, y) < kNear) continue;
      const double turn = x * (curve[i + 1].true_positives - at.y) - y * (curve[i + 1].false_positives - at.x);
      if (std::abs(turn) < 1e-12) continue;
    }
    kept.push_back(at);
  }
  return kept;
}

Panels roc_panels(const Judged& judged, const std::vector<size_t>& shown) {
  Panels chart{"ROC per finding", "", "false positive rate", "true positive rate", {}, {}};
  const bool both = judged.results.size() > 1;
  chart.series.push_back(line(widest_name(judged), group_colour(0), -1));
  if (both) {
    chart.series.insert(chart.series.begin(), line(subnet_text(judged.results[0].subnet), group_colour(1), -1));
    chart.series[0].dashed = true;
  }
  for (const size_t k : shown) {
    const double best = judged.of(judged.best(), "auroc", k), least = judged.of(judged.results[0], "auroc", k);
    Panels::Panel panel{judged.labels[k], concat("AUROC ", score_text(best), both ? "; " + score_text(least) : ""), {}};
    if (both) panel.lines.push_back(corners(roc_curve(rank(judged.narrowest[k], judged.targets[k]))));
    panel.lines.push_back(corners(roc_curve(rank(judged.widest[k], judged.targets[k]))));
    chart.alt += concat(chart.alt.empty() ? "area " : ", ", judged.labels[k], " ", score_text(best));
    chart.panels.push_back(std::move(panel));
  }
  return chart;
}

Chart width_chart(const Judged& judged, const std::vector<size_t>& shown) {
  Chart chart{"AUROC of each finding against MACs", "", {"MACs of one image"}, {"AUROC"}, {}};
  std::vector<const Result*> order;
  for (const Result& result : judged.results) order.push_back(&result);
  std::stable_sort(order.begin(), order.end(), [](const Result* a, const Result* b) { return a->macs < b->macs; });
  const auto draw = [&](Series series, const auto& value) {
    for (const Result* result : order) series.points.push_back({static_cast<double>(result->macs), value(*result)});
    chart.series.push_back(std::move(series));
  };
  for (size_t i = 0; i < shown.size(); ++i) {
    draw(label_line(judged.labels[shown[i]], i), [&](const Result& result) { return judged.of(result, "auroc", shown[i]); });
  }
  Series mean = line("mean", kGrey, -1);
  mean.thick = true;
  draw(mean, [](const Result& result) { return result.metric("auroc"); });
  chart.alt =
      concat("mean from ", score_text(order.front()->metric("auroc")), " to ", score_text(order.back()->metric("auroc")));
  return chart;
}

std::vector<Matrix> together_matrices(const Judged& judged, const std::vector<size_t>& shown) {
  std::vector<std::vector<uint8_t>> targets;
  std::vector<std::vector<double>> logits;
  for (const size_t k : shown) {
    targets.push_back(judged.targets[k]);
    logits.push_back(judged.widest[k]);
  }
  const Together both = together(targets, probabilities_of(logits));
  double most = 1e-9;
  for (const auto* shares : {&both.seen, &both.predicted}) {
    for (const double share : *shares) most = std::max(most, std::isfinite(share) ? share : 0);
  }
  std::vector<Matrix> matrices;
  for (const auto* shares : {&both.seen, &both.predicted}) {
    const bool seen = shares == &both.seen;
    Matrix matrix{seen ? "Together in the test pictures" : "Together as predicted",
                  "",
                  "given",
                  "how often also, in %",
                  std::ssize(shown),
                  {}};
    const Matrix::Cell* largest = nullptr;
    for (size_t i = 0; i < shares->size(); ++i) {
      const double share = (*shares)[i];
      if (!std::isfinite(share)) continue;
      const auto at = static_cast<int64_t>(i);
      matrix.cells.push_back({at / matrix.size, at % matrix.size, share / most, print("%.0f", 100 * share)});
    }
    for (const Matrix::Cell& cell : matrix.cells) {
      if (!largest || cell.share > largest->share) largest = &cell;
    }
    if (largest) {
      const auto name = [&](int64_t i) { return judged.labels[shown[static_cast<size_t>(i)]]; };
      matrix.alt =
          concat("most often: ", name(largest->column), " where there is ", name(largest->row), ", ", largest->text, " %");
    }
    matrices.push_back(std::move(matrix));
  }
  return matrices;
}

Bars mixing_bars(const Judged& judged, const std::vector<size_t>& shown, const std::vector<double>& mixing) {
  Bars bars{"Learned share of a finding's own branch", "", "", "share of the branch", {}, true};
  for (const size_t k : shown) {
    bars.bars.push_back({judged.labels[k], mixing[k], group_colour(0), print("%.2f", mixing[k])});
    bars.alt += concat(bars.alt.empty() ? "" : ", ", judged.labels[k], " ", print("%.2f", mixing[k]));
  }
  return bars;
}

Chart reliability_chart(const Judged& judged) {
  std::vector<double> probabilities;
  std::vector<uint8_t> targets;
  for (const std::vector<double>& label : probabilities_of(judged.widest)) {
    probabilities.insert(probabilities.end(), label.begin(), label.end());
  }
  for (const std::vector<uint8_t>& label : judged.targets) targets.insert(targets.end(), label.begin(), label.end());
  Chart chart{"Are the probabilities true?", "", {"probability that the model gives"}, {"share that has the finding"}, {}};
  Series ideal = line("ideal", kGrey, -1), measured = line(widest_name(judged), group_colour(0), 0);
  ideal.dashed = true;
  ideal.points = {{0, 0}, {1, 1}};
  for (const ReliabilityBin& bin : reliability(probabilities, targets, 10)) {
    if (bin.pictures == 0) continue;
    measured.points.push_back({bin.probability, bin.positives, short_number(static_cast<double>(bin.pictures))});
  }
  chart.series = {std::move(ideal), std::move(measured)};
  chart.alt = concat("mean calibration error ", score_text(judged.best().metric("ece")));
  return chart;
}

}  // namespace hv::train
