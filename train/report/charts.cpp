#include "train/report/charts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "train/draw/statistics.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

constexpr size_t kPoints = 60;  // per curve; at the size of the chart, more points cannot be distinguished

std::string print(const char* format, double value) {
  if (!std::isfinite(value)) return "-";
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

double cost_of(const RunData& run, const WidthCost& width, Cost cost) {
  if (cost == Cost::macs) return static_cast<double>(width.macs);
  if (cost == Cost::params) return static_cast<double>(width.params);
  const auto found = run.images_per_second.find(width.subnet.label);
  return found == run.images_per_second.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

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

Series line(const std::string& name, const Colour& colour, int64_t marker, std::vector<Point> points) {
  Series series;
  series.name = name;
  series.colour = colour;
  series.marker = marker;
  series.points = std::move(points);
  return series;
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

// How the report shows the metric that decides.
struct Style {
  std::string title, axis, column;
  const char *format, *table;
};
Style style_of(const std::string& metric) {
  if (metric == "top1") return {"Test accuracy", "top-1 accuracy in %", "top-1 %", "%.1f %%", "%.2f"};
  return {"Test " + metric, metric, metric, "%.3f", "%.4f"};
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

Colour width_colour(const RunData& run, size_t i) {
  return ramp_colour(static_cast<int64_t>(i), static_cast<int64_t>(run.widths.size()));
}

}  // namespace

Chart accuracy_chart(const Runs& runs, Cost cost) {
  Chart chart;
  const char* names[] = {"multiply-accumulates (MACs)", "parameters", "speed"};
  const char* axes[] = {"MACs of one image", "parameters", "images per second, measured"};
  const std::string metric = runs[0].metric();
  const Style style = style_of(metric);
  chart.title = concat(style.title, " against ", names[static_cast<int>(cost)]);
  chart.x = {axes[static_cast<int>(cost)]};
  chart.y = {style.axis};
  for (size_t r = 0; r < runs.size(); ++r) {
    for (const bool ema : {false, true}) {
      std::vector<Point> points;
      for (const WidthCost& width : runs[r].widths) {
        const double live = runs[r].last(metric, width.subnet), x = cost_of(runs[r], width, cost);
        const double value = ema ? runs[r].last("ema_" + metric, width.subnet) : live;
        if (!std::isfinite(value) || !std::isfinite(x)) continue;
        points.push_back({x, value, ema && std::isfinite(live) ? "" : short_text(width.subnet)});
        if (r > 0) continue;
        chart.alt += concat(chart.alt.empty() ? "" : ", ", subnet_text(width.subnet), ema ? " averaged " : " ",
                            print(style.format, value));
      }
      if (points.empty()) continue;
      const std::string weights = ema ? "averaged weights (EMA)" : "live weights";
      Series series =
          line(runs.size() == 1 ? weights : concat(runs[r].name, ema ? ", EMA" : ""),
               group_colour(static_cast<int64_t>(runs.size() == 1 ? ema : r)), static_cast<int64_t>(r), std::move(points));
      series.hollow = series.dashed = ema;
      chart.series.push_back(std::move(series));
    }
  }
  return chart;
}

std::vector<std::vector<std::string>> accuracy_table(const Runs& runs) {
  const std::string metric = runs[0].metric();
  const Style style = style_of(metric);
  std::vector<std::vector<std::string>> rows(1);
  if (runs.size() > 1) rows[0].push_back("run");
  for (const RunData& run : runs) {
    if (run.widths.empty() || rows[0].size() > 1) continue;
    for (const models::Axis& axis : run.widths[0].subnet.axes) rows[0].push_back(axis.name);
  }
  for (const std::string& name : {std::string("parameters"), std::string("MACs"), style.column, style.column + " (EMA)",
                                  std::string("loss"), std::string("loss (EMA)"), std::string("images/s")}) {
    rows[0].push_back(name);
  }
  for (const RunData& run : runs) {
    for (const auto& [subnet, params, macs] : run.widths) {
      std::vector<std::string> row;
      if (runs.size() > 1) row.push_back(run.name);
      for (const models::Axis& axis : subnet.axes) row.push_back(axis_text(axis));
      const double speed = cost_of(run, {subnet, params, macs}, Cost::images_per_second);
      for (const std::string& cell :
           {concat(params), concat(macs), print(style.table, run.last(metric, subnet)),
            print(style.table, run.last("ema_" + metric, subnet)), print("%.4f", run.last("loss", subnet)),
            print("%.4f", run.last("ema_loss", subnet)), print("%.0f", speed)}) {
        row.push_back(cell);
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

Chart loss_chart(const Runs& runs) {
  Chart chart{"Training loss", "", {"step"}, {"loss (nats)"}, {}};
  for (size_t r = 0; r < runs.size(); ++r) {
    const RunData& run = runs[r];
    Series all = line(runs.size() == 1 ? "all steps" : run.name,
                      runs.size() == 1 ? Colour{"#57606a", "#c5ccd3"} : group_colour(static_cast<int64_t>(r)),
                      runs.size() == 1 ? -1 : static_cast<int64_t>(r), over_steps(run, "train_loss", &RunEvents::Log::loss));
    if (r == 0 && !all.points.empty()) {
      chart.alt = concat("from ", print("%.3f", all.points.front().y), " to ", print("%.3f", all.points.back().y));
    }
    all.dashed = runs.size() == 1;
    chart.series.push_back(std::move(all));
    if (runs.size() > 1 || !has_logs(run)) continue;
    for (size_t w = 0; w < run.widths.size(); ++w) {
      std::vector<Point> points;
      for (const RunEvents::Log& log : run.events->logs) {
        const auto found = log.losses.find(run.widths[w].subnet.label);
        if (found != log.losses.end()) points.push_back({static_cast<double>(log.step), found->second});
      }
      chart.series.push_back(
          line(subnet_text(run.widths[w].subnet), width_colour(run, w), static_cast<int64_t>(w), thinned(points)));
    }
  }
  return chart;
}

Chart learning_rate_chart(const Runs& runs) {
  Chart chart{"Learning rate", "", {"step"}, {"learning rate"}, {}};
  for (size_t r = 0; r < runs.size(); ++r) {
    Series rate = line(runs.size() == 1 ? "" : runs[r].name, group_colour(static_cast<int64_t>(r)), -1,
                       over_steps(runs[r], "lr", &RunEvents::Log::lr));
    if (r == 0 && !rate.points.empty()) chart.alt = concat("last ", print("%.3g", rate.points.back().y));
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
    for (size_t w = 0; w < run.widths.size(); ++w) {
      const models::Subnet& subnet = run.widths[w].subnet;
      const std::vector<Point> points = column(run, metric + "_" + subnet.name);
      if (mean.size() < points.size()) mean.resize(points.size());
      for (size_t i = 0; i < points.size(); ++i) {
        mean[i] = {points[i].x, mean[i].y + points[i].y / static_cast<double>(run.widths.size())};
      }
      if (runs.size() > 1) continue;
      chart.series.push_back(line(subnet_text(subnet), width_colour(run, w), static_cast<int64_t>(w), points));
    }
    if (r == 0 && !mean.empty()) chart.alt = concat("mean over the widths at last ", print(style.format, mean.back().y));
    if (runs.size() == 1) continue;
    chart.series.push_back(line(run.name, group_colour(static_cast<int64_t>(r)), static_cast<int64_t>(r), thinned(mean)));
  }
  return chart;
}

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
  draws.bars = {"Widths drawn", "", labels.empty() ? "" : words_of(labels[0]).axis, "steps", {}};
  int64_t choices = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double share = run.events->shares.at(labels[i]);
    const double expected = std::isfinite(share) ? share * static_cast<double>(draws.steps) : -1,
                 count = static_cast<double>(drawn[labels[i]]);
    if (expected > 0 && share < 1) {  // what every step trains is no choice
      draws.chi_square += (count - expected) * (count - expected) / expected;
      ++choices;
    }
    const Words words = words_of(labels[i]);
    draws.bars.bars.push_back({words.value, count, ramp_colour(static_cast<int64_t>(i), static_cast<int64_t>(labels.size())),
                               print("%.0f", count), expected});
    draws.bars.alt += concat(draws.bars.alt.empty() ? "" : ", ", words.text, " ", print("%.0f", count));
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
