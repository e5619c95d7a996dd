#include "train/report/charts.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "train/draw/statistics.h"
#include "train/io/numbers.h"
#include "train/report/style.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

constexpr size_t kPoints = 60;  // per curve; at the size of the chart, more points cannot be distinguished

// The means of groups of equally many neighbouring points, at most kPoints of them. Values that are not finite are left out.
std::vector<Point> thinned(const std::vector<Point>& points) {
  std::vector<Point> kept, finite;
  for (const Point& point : points) {
    if (std::isfinite(point.y)) finite.push_back(point);
  }
  const size_t group = (finite.size() + kPoints - 1) / kPoints;
  for (size_t i = 0; i < finite.size(); i += group) {
    const size_t end = std::min(finite.size(), i + group);
    double sum = 0;
    for (size_t k = i; k < end; ++k) sum += finite[k].y;
    kept.push_back({finite[end - 1].x, sum / static_cast<double>(end - i)});
  }
  return kept;
}

// The rows of evaluations on as many images as the first row has. The last evaluation uses all images, which may be more.
std::vector<size_t> equal_rows(const Table& summary) {
  std::vector<size_t> rows;
  const std::vector<double>* images = summary.find("images");
  for (size_t i = 0; i < summary.rows(); ++i) {
    if (!images || (*images)[i] == images->front()) rows.push_back(i);
  }
  return rows;
}

// The values of a column of summary.csv over the steps.
std::vector<Point> column(const RunData& run, const std::string& name) {
  std::vector<Point> points;
  if (!run.summary) return points;
  const std::vector<double>*steps = run.summary->find("step"), *values = run.summary->find(name);
  if (!steps || !values) return points;
  for (const size_t i : equal_rows(*run.summary)) points.push_back({(*steps)[i], (*values)[i]});
  return points;
}

bool has_logs(const RunData& run) { return run.events && !run.events->logs.empty(); }

std::vector<Point> over_steps(const RunData& run, const std::string& name, double RunEvents::Log::*value) {
  if (!has_logs(run)) return column(run, name);
  std::vector<Point> points;
  for (const RunEvents::Log& log : run.events->logs) points.push_back({static_cast<double>(log.step), log.*value});
  return thinned(points);
}

// The words of a label: "heads=5" gives "5 heads", "heads" and "5". A label of another form is used as text and value.
struct Words {
  std::string text, axis, value;
};
Words words_of(const std::string& label) {
  const size_t at = label.find('=');
  if (at == std::string::npos || label.find('=', at + 1) != std::string::npos) return {label, "subnetwork", label};
  const std::string axis = label.substr(0, at), value = label.substr(at + 1);
  return {concat(value, " ", value == "1" && axis.ends_with('s') ? axis.substr(0, axis.size() - 1) : axis), axis, value};
}

// The line of one subnetwork. Its first axis decides colour and marker.
Series width_line(const RunData& run, const Views& views, size_t i, std::vector<Point> points) {
  const auto group = static_cast<int64_t>(views.group[i]);
  return line(first_axis_text(run.widths[i].subnet), ramp_colour(group, static_cast<int64_t>(views.groups)), group,
              std::move(points));
}

}  // namespace

Chart loss_chart(const Runs& runs) {
  Chart chart{"Training loss", "", {"step"}, {"loss (nats)"}, {}};
  for (size_t r = 0; r < runs.size(); ++r) {
    const RunData& run = runs[r];
    Series all = line(runs.size() == 1 ? "all steps" : run.name,
                      runs.size() == 1 ? Colour{"#57606a", "#c5ccd3"} : group_colour(static_cast<int64_t>(r)),
                      runs.size() == 1 ? -1 : static_cast<int64_t>(r), over_steps(run, "train_loss", &RunEvents::Log::loss));
    if (r == 0 && !all.points.empty()) {
      chart.alt =
          concat("from ", print_finite("%.3f", all.points.front().y), " to ", print_finite("%.3f", all.points.back().y));
    }
    all.dashed = runs.size() == 1;
    chart.series.push_back(std::move(all));
    if (runs.size() > 1 || !has_logs(run)) continue;
    const Views views = grouped_views(run.subnets());
    for (const size_t w : a_few(views)) {
      std::vector<Point> points;
      for (const RunEvents::Log& log : run.events->logs) {
        const auto found = log.losses.find(run.widths[w].subnet.label);
        if (found != log.losses.end()) points.push_back({static_cast<double>(log.step), found->second});
      }
      chart.series.push_back(width_line(run, views, w, thinned(points)));
    }
  }
  return chart;
}

Chart learning_rate_chart(const Runs& runs) {
  Chart chart{"Learning rate", "", {"step"}, {"learning rate"}, {}};
  for (size_t r = 0; r < runs.size(); ++r) {
    Series rate = line(runs.size() == 1 ? "" : runs[r].name, group_colour(static_cast<int64_t>(r)), -1,
                       over_steps(runs[r], "lr", &RunEvents::Log::lr));
    if (r == 0 && !rate.points.empty()) chart.alt = concat("last ", print_finite("%.3g", rate.points.back().y));
    rate.dashed = r % 2 == 1;
    chart.series.push_back(std::move(rate));
  }
  return chart;
}

Chart test_chart(const Runs& runs) {
  const std::string metric = runs[0].metric();
  const Style style = style_of(metric);
  Chart chart{concat(style.title, " during training", runs.size() == 1 ? "" : ", mean over the widths"),
              "",
              {"step"},
              {style.axis},
              {}};
  for (size_t r = 0; r < runs.size(); ++r) {
    const RunData& run = runs[r];
    std::vector<Point> mean;
    const Views views = grouped_views(run.subnets());
    std::vector<size_t> lines = a_few(views);
    const auto values = [&](size_t w) { return column(run, metric + "_" + run.widths[w].subnet.name); };
    // Evaluations before the end may leave some of many subnetworks out.
    const auto left_out = [&](size_t w) { return !values(w).empty() && !std::isfinite(values(w).front().y); };
    if (views.several_axes()) std::erase_if(lines, left_out);
    for (const size_t w : lines) {
      const std::vector<Point> points = values(w);
      if (mean.size() < points.size()) mean.resize(points.size());
      for (size_t i = 0; i < points.size(); ++i) {
        mean[i] = {points[i].x, mean[i].y + points[i].y / static_cast<double>(lines.size())};
      }
      if (runs.size() > 1) continue;
      chart.series.push_back(width_line(run, views, w, points));
    }
    if (r == 0 && !mean.empty()) chart.alt = concat("mean over the widths at last ", print_finite(style.format, mean.back().y));
    if (runs.size() == 1) continue;
    chart.series.push_back(line(run.name, group_colour(static_cast<int64_t>(r)), static_cast<int64_t>(r), thinned(mean)));
  }
  return chart;
}

namespace {

// A label is "heads=5", or of several axes "heads=5,px=24". A bar for each value of one axis: the sum over all others.
Bars drawn_bars(const RunEvents& events, const std::map<std::string, int64_t>& drawn, size_t axis, const std::string& title,
                int64_t steps) {
  struct Sum {
    std::string label;
    double count = 0, share = 0;
  };
  std::vector<Sum> sums;  // in the order of the labels
  for (const std::string& label : events.labels) {
    const std::vector<std::string> parts = split(label, ',');
    const std::string& part = parts.at(std::min(axis, parts.size() - 1));
    auto at = std::find_if(sums.begin(), sums.end(), [&](const Sum& sum) { return sum.label == part; });
    if (at == sums.end()) at = sums.insert(at, {part});
    const auto count = drawn.find(label);
    at->count += count == drawn.end() ? 0 : static_cast<double>(count->second);
    at->share += events.shares.at(label);
  }
  const std::string name = words_of(sums.at(0).label).axis;
  Bars bars{title == "Widths drawn" ? title : concat(title, " ", name), "", name, "steps", {}};
  for (size_t i = 0; i < sums.size(); ++i) {
    const Words words = words_of(sums[i].label);
    const double expected = std::isfinite(sums[i].share) ? sums[i].share * static_cast<double>(steps) : -1;
    bars.bars.push_back({words.value, sums[i].count, ramp_colour(static_cast<int64_t>(i), std::ssize(sums)),
                         print("%.0f", sums[i].count), expected});
    bars.alt += concat(bars.alt.empty() ? "" : ", ", words.text, " ", print("%.0f", sums[i].count));
  }
  return bars;
}

}  // namespace

std::optional<Draws> draws_chart(const RunData& run) {
  if (!has_logs(run) || run.events->shares.empty()) return {};
  std::map<std::string, int64_t> drawn;
  int64_t passes = 0;
  for (const RunEvents::Log& log : run.events->logs) {
    for (const auto& [label, count] : log.drawn) {
      drawn[label] += count;
      passes += count;
    }
  }
  if (passes == 0) return {};
  // The shares sum to the number of passes per step: 1 for a recipe that draws one subnetwork.
  double per_step = 0;
  for (const auto& [label, share] : run.events->shares) per_step += std::isfinite(share) ? share : 0;
  Draws draws;
  draws.steps = per_step > 1.5 ? std::llround(static_cast<double>(passes) / per_step) : passes;
  const std::vector<std::string>& labels = run.events->labels;
  int64_t choices = 0;
  for (const std::string& label : labels) {
    const double share = run.events->shares.at(label), expected = share * static_cast<double>(draws.steps);
    if (!(expected > 0 && share < 1)) continue;  // what every step trains is no choice
    const double count = static_cast<double>(drawn[label]);
    draws.chi_square += (count - expected) * (count - expected) / expected;
    ++choices;
  }
  const size_t axes = labels.empty() ? 0 : split(labels[0], ',').size();
  for (size_t axis = 0; axis < std::min<size_t>(axes, 8); ++axis) {
    draws.bars.push_back(drawn_bars(*run.events, drawn, axis, axes == 1 ? "Widths drawn" : "Steps by", draws.steps));
  }
  draws.p = choices > 1 ? chi_square_p(draws.chi_square, choices - 1) : 1;
  return draws;
}

std::optional<Bars> time_chart(const RunData& run) {
  std::map<std::string, double> sums;
  double total = 0;
  if (run.events) {
    for (const RunEvents::Log& log : run.events->logs) {
      for (const auto& [part, seconds] : log.time) {
        sums[part] += seconds;
        total += seconds;
      }
    }
  }
  if (total <= 0 || sums.size() > 20) return {};
  Bars bars{"Where the time of a step goes", "", "part of a step", "share of wall time in %", {}};
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [part, seconds] : sums) order.emplace_back(-seconds, part);
  std::sort(order.begin(), order.end());
  for (const auto& [seconds, part] : order) {
    const double share = -100 * seconds / total;
    std::string name = part == "norm_activation" ? "norm, act." : part;
    bars.bars.push_back({name, share, group_colour(0), print("%.1f %%", share)});
    bars.alt += concat(bars.alt.empty() ? "" : ", ", part, " ", print("%.1f %%", share));
  }
  return bars;
}

}  // namespace hv::train
