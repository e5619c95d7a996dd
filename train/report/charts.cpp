#include "train/report/charts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "train/draw/statistics.h"

namespace hv::train {
namespace {

constexpr size_t kPoints = 60;  // of a curve: more would be noise at this size

std::string print(const char* format, double value) {
  if (!std::isfinite(value)) return "-";
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

double cost_of(const RunData& run, const WidthCost& width, Cost cost) {
  if (cost == Cost::macs) return static_cast<double>(width.macs);
  if (cost == Cost::params) return static_cast<double>(width.params);
  const auto found = run.images_per_second.find(width.subnet.key);
  return found == run.images_per_second.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

// The means of equal groups of neighbours, at most kPoints; steps that have no value stay out.
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

// The evaluations on equally many images, the first row's: the last row may be of all of them.
std::vector<size_t> equal_rows(const Table& summary) {
  std::vector<size_t> rows;
  const std::vector<double>* images = summary.find("images");
  for (size_t i = 0; i < summary.rows(); ++i) {
    if (!images || (*images)[i] == images->front()) rows.push_back(i);
  }
  return rows;
}

// A column of summary.csv over the steps.
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

std::string heads_text(int64_t heads) { return concat(heads, heads == 1 ? " head" : " heads"); }
Colour width_colour(const RunData& run, size_t i) {
  return ramp_colour(static_cast<int64_t>(i), static_cast<int64_t>(run.widths.size()));
}

}  // namespace

Chart accuracy_chart(const Runs& runs, Cost cost) {
  Chart chart;
  const char* names[] = {"multiply-accumulates (MACs)", "parameters", "speed"};
  const char* axes[] = {"MACs of one image", "parameters", "images per second, measured"};
  chart.title = concat("Test accuracy against ", names[static_cast<int>(cost)]);
  chart.x = {axes[static_cast<int>(cost)]};
  chart.y = {"top-1 accuracy in %"};
  for (size_t r = 0; r < runs.size(); ++r) {
    for (const char* what : {"top1", "ema_top1"}) {
      const bool ema = *what == 'e';
      std::vector<Point> points;
      for (const WidthCost& width : runs[r].widths) {
        const double top1 = runs[r].last(what, width.subnet.key), x = cost_of(runs[r], width, cost);
        if (!std::isfinite(top1) || !std::isfinite(x)) continue;
        points.push_back(
            {x, top1, ema && std::isfinite(runs[r].last("top1", width.subnet.key)) ? "" : concat(width.subnet.key)});
        if (r == 0)
          chart.alt += concat(chart.alt.empty() ? "" : ", ", heads_text(width.subnet.key), ema ? " averaged " : " ",
                              print("%.1f %%", top1));
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
  std::vector<std::vector<std::string>> rows = {
      {"heads", "dim", "parameters", "MACs", "top-1 %", "top-1 % (EMA)", "loss", "loss (EMA)", "images/s"}};
  if (runs.size() > 1) rows[0].insert(rows[0].begin(), "run");
  for (const RunData& run : runs) {
    for (const WidthCost& width : run.widths) {
      const int64_t k = width.subnet.key;
      rows.push_back({concat(k), concat(width.subnet.dim), concat(width.params), concat(width.macs),
                      print("%.2f", run.last("top1", k)), print("%.2f", run.last("ema_top1", k)),
                      print("%.4f", run.last("loss", k)), print("%.4f", run.last("ema_loss", k)),
                      print("%.0f", cost_of(run, width, Cost::images_per_second))});
      if (runs.size() > 1) rows.back().insert(rows.back().begin(), run.name);
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
        const auto found = log.losses.find(run.widths[w].subnet.key);
        if (found != log.losses.end()) points.push_back({static_cast<double>(log.step), found->second});
      }
      chart.series.push_back(
          line(heads_text(run.widths[w].subnet.key), width_colour(run, w), static_cast<int64_t>(w), thinned(points)));
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
  Chart chart{runs.size() == 1 ? "Test accuracy during training" : "Test accuracy during training, mean over the widths",
              "",
              {"step"},
              {"top-1 accuracy in %"},
              {}};
  for (size_t r = 0; r < runs.size(); ++r) {
    const RunData& run = runs[r];
    std::vector<Point> mean;
    for (size_t w = 0; w < run.widths.size(); ++w) {
      const std::vector<Point> points = column(run, concat("top1_heads", run.widths[w].subnet.key));
      if (mean.size() < points.size()) mean.resize(points.size());
      for (size_t i = 0; i < points.size(); ++i) {
        mean[i] = {points[i].x, mean[i].y + points[i].y / static_cast<double>(run.widths.size())};
      }
      if (runs.size() == 1)
        chart.series.push_back(
            line(heads_text(run.widths[w].subnet.key), width_colour(run, w), static_cast<int64_t>(w), points));
    }
    if (r == 0 && !mean.empty()) chart.alt = concat("mean over the widths at last ", print("%.1f %%", mean.back().y));
    if (runs.size() > 1)
      chart.series.push_back(line(run.name, group_colour(static_cast<int64_t>(r)), static_cast<int64_t>(r), thinned(mean)));
  }
  return chart;
}

std::optional<Draws> draws_chart(const RunData& run) {
  if (!has_logs(run) || run.events->shares.empty()) return {};
  std::map<int64_t, int64_t> drawn;
  Draws draws;
  for (const RunEvents::Log& log : run.events->logs) {
    for (const auto& [heads, count] : log.drawn) drawn[heads] += count, draws.steps += count;
  }
  if (draws.steps == 0) return {};
  draws.bars = {"Widths drawn", "", "heads", "steps", {}};
  int64_t choices = 0;
  for (const auto& [heads, share] : run.events->shares) {
    const double expected = std::isfinite(share) ? share * static_cast<double>(draws.steps) : -1,
                 count = static_cast<double>(drawn[heads]);
    if (expected > 0) draws.chi_square += (count - expected) * (count - expected) / expected, ++choices;
    draws.bars.bars.push_back(
        {concat(heads), count,
         ramp_colour(static_cast<int64_t>(draws.bars.bars.size()), static_cast<int64_t>(run.events->shares.size())),
         print("%.0f", count), expected});
    draws.bars.alt += concat(draws.bars.alt.empty() ? "" : ", ", heads_text(heads), " ", print("%.0f", count));
  }
  draws.p = choices > 1 ? chi_square_p(draws.chi_square, choices - 1) : 1;
  return draws;
}

std::optional<Bars> time_chart(const RunData& run) {
  std::map<std::string, double> sums;
  double total = 0;
  if (run.events) {
    for (const RunEvents::Log& log : run.events->logs) {
      for (const auto& [part, seconds] : log.time) sums[part] += seconds, total += seconds;
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
