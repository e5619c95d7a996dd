#include "train/cascade/twice.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"
#include "train/io/print.h"
#include "train/subnets.h"
#include "train/views/views.h"

namespace hv::train {
namespace {

constexpr size_t kSteps = 24;  // of a curve
constexpr size_t kTried = 16;  // stages of which pairs are tried: of more, every second or third, ...

// The mean over x in [low, high] of the best accuracy at a cost of at most x. `floor`: that of the cheapest.
double area_of(const std::vector<Twice::Point>& points, double low, double high, double floor) {
  std::vector<std::pair<double, double>> steps;
  for (const Twice::Point& point : points) steps.emplace_back(point.mean_macs, point.accuracy);
  std::sort(steps.begin(), steps.end());
  double sum = 0, at = low, best = floor;
  for (const auto& [macs, accuracy] : steps) {
    const double to = std::clamp(macs, at, high);
    sum += (to - at) * best;
    at = to;
    best = std::max(best, accuracy);
  }
  return high > low ? (sum + (high - at) * best) / (high - low) : floor;
}

}  // namespace

Twice::Twice(std::vector<StagePredictions> stages, std::vector<double> labels, bool continues)
    : stages_(std::move(stages)), labels_(std::move(labels)), continues_(continues) {
  HV_CHECK(stages_.size() > 1 && !labels_.empty(), "looking twice: needs two stages and an image");
  for (const StagePredictions& stage : stages_) {
    HV_CHECK(stage.predicted.size() == labels_.size() && stage.confidence.size() == labels_.size(),
             "looking twice: ", stage.subnet.name, " has predictions of another number of images than there are labels");
  }
  std::vector<size_t> all(stages_.size());
  std::iota(all.begin(), all.end(), size_t{0});
  curves_.push_back(curve(continues_ ? all : std::vector<size_t>{0, all.back()}));
  if (continues_) return;
  Curve best = curves_[0];
  const size_t stride = (all.size() + kTried - 1) / kTried;
  for (size_t a = 0; a < all.size(); a += stride) {
    for (size_t b = a + stride; b < all.size(); b += stride) {
      Curve other = curve({a, b});
      if (other.area > best.area) best = std::move(other);
    }
  }
  if (best.stages != curves_[0].stages) curves_.push_back(std::move(best));
}

double Twice::alone(size_t stage) const {
  double sum = 0;
  for (size_t i = 0; i < labels_.size(); ++i) sum += right(stage, i);
  return 100 * sum / static_cast<double>(labels_.size());
}

size_t Twice::stop(const Curve& curve, size_t image, double threshold) const {
  size_t at = 0;
  while (at + 1 < curve.stages.size() && !(stages_[curve.stages[at]].confidence[image] >= threshold)) ++at;
  return at;
}

Twice::Curve Twice::curve(std::vector<size_t> stages) const {
  Curve made;
  made.stages = std::move(stages);
  std::vector<double> sorted;
  for (const double value : stages_[made.stages[0]].confidence) {
    if (std::isfinite(value)) sorted.push_back(value);
  }
  std::sort(sorted.begin(), sorted.end());
  const auto images = static_cast<double>(labels_.size());
  std::vector<double> thresholds = {0};
  for (size_t i = 1; i < kSteps && !sorted.empty(); ++i) thresholds.push_back(sorted[i * sorted.size() / kSteps]);
  thresholds.push_back(2);  // above every confidence
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  for (const double threshold : thresholds) {
    Point point{threshold, 0, 0, std::vector<double>(made.stages.size())};
    for (size_t i = 0; i < labels_.size(); ++i) {
      const size_t at = stop(made, i, threshold);
      point.stopped[at] += 1;
      point.accuracy += right(made.stages[at], i);
    }
    double macs = 0;
    for (size_t at = 0; at < made.stages.size(); ++at) {
      const double own = stages_[made.stages[at]].macs;
      macs = continues_ ? own : macs + own;
      point.stopped[at] /= images;
      point.mean_macs += point.stopped[at] * macs;
    }
    point.accuracy *= 100 / images;
    made.points.push_back(std::move(point));
  }
  made.area = area_of(made.points, stages_.front().macs, stages_.back().macs, alone(0));
  return made;
}

std::string Twice::name(const Curve& curve) const {
  std::string text;
  for (const size_t stage : curve.stages) text += (text.empty() ? "" : " then ") + short_text(stages_[stage].subnet);
  const std::string axes = chosen_axes_text(stages_[0].subnet);  // "heads", or "heads/px"
  return axes.find('/') == std::string::npos ? text + " " + axes : axes + " " + text;
}

Chart Twice::chart() const {
  Chart chart{"Looking twice: accuracy against mean MACs", "", {"mean MACs of an image"}, {"top-1 accuracy in %"}, {}};
  Series alone_series;
  alone_series.name = "one look";
  alone_series.colour = group_colour(0);
  for (size_t s = 0; s < stages_.size(); ++s) {
    alone_series.points.push_back({stages_[s].macs, alone(s), short_text(stages_[s].subnet)});
    chart.alt += concat(s == 0 ? "" : ", ", subnet_text(stages_[s].subnet), print(" %.1f %%", alone(s)));
  }
  chart.series.push_back(alone_series);
  for (size_t c = 0; c < curves_.size(); ++c) {
    Series series;
    series.name = name(curves_[c]);
    series.colour = group_colour(static_cast<int64_t>(c) + 1);
    series.marker = static_cast<int64_t>(c) + 1;
    series.dashed = c > 0;
    for (const Point& point : curves_[c].points) series.points.push_back({point.mean_macs, point.accuracy});
    chart.series.push_back(std::move(series));
  }
  return chart;
}

std::vector<std::vector<std::string>> Twice::shares(const Curve& curve) const {
  std::vector<std::vector<std::string>> rows = {{"sure from", "mean MACs", "top-1 %"}};
  for (const size_t stage : curve.stages) rows[0].push_back(subnet_text(stages_[stage].subnet) + " answers, %");
  const size_t every = std::max<size_t>(1, (curve.points.size() - 1) / 8);
  for (size_t i = 0; i < curve.points.size(); i += every) {
    const Point& point = curve.points[i];
    rows.push_back({point.threshold > 1 ? "never" : print("%.4f", point.threshold), print("%.0f", point.mean_macs),
                    print("%.2f", point.accuracy)});
    for (const double share : point.stopped) rows.back().push_back(print("%.1f", 100 * share));
  }
  return rows;
}

std::vector<std::vector<std::string>> Twice::classes(const Curve& curve, const std::vector<std::string>& names,
                                                     size_t most) const {
  const double threshold = curve.points[curve.points.size() / 2].threshold;
  struct Row {
    double images = 0, again = 0, before = 0, after = 0;
  };
  std::vector<Row> of(names.size());
  for (size_t i = 0; i < labels_.size(); ++i) {
    if (!(labels_[i] >= 0 && labels_[i] < static_cast<double>(names.size()))) continue;
    Row& row = of[static_cast<size_t>(labels_[i])];
    const size_t at = stop(curve, i, threshold);
    row.images += 1;
    row.again += at > 0;
    row.before += right(curve.stages[0], i);
    row.after += right(curve.stages[at], i);
  }
  std::vector<size_t> order;
  for (size_t k = 0; k < of.size(); ++k) {
    if (of[k].images > 0) order.push_back(k);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return of[a].again / of[a].images > of[b].again / of[b].images; });
  order.resize(std::min(order.size(), most));
  std::vector<std::vector<std::string>> rows = {{"class", "images", "looked at again, %", "right before, %", "right after, %"}};
  for (const size_t k : order) {
    const double whole = of[k].images / 100;
    rows.push_back({names[k], print("%.0f", of[k].images), print("%.1f", of[k].again / whole),
                    print("%.1f", of[k].before / whole), print("%.1f", of[k].after / whole)});
  }
  return rows;
}

std::vector<size_t> Twice::surest(size_t count, bool least) const {
  const std::vector<double>& confidence = stages_[0].confidence;
  std::vector<size_t> order;
  for (size_t i = 0; i < labels_.size(); ++i) {
    if (std::isfinite(confidence[i]) && (least || right(0, i))) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return least ? confidence[a] < confidence[b] : confidence[a] > confidence[b]; });
  order.resize(std::min(order.size(), count));
  return order;
}

}  // namespace hv::train
