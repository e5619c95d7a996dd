// Accuracy against cost: one point per subnetwork.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "train/report/charts.h"
#include "train/report/style.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

double cost_of(const RunData& run, const WidthCost& width, Cost cost) {
  if (cost == Cost::macs) return static_cast<double>(width.macs);
  if (cost == Cost::params) return static_cast<double>(width.params);
  const auto found = run.images_per_second.find(width.subnet.label);
  return found == run.images_per_second.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

Contest contest_of(const RunData& run, Cost cost) {
  const std::string metric = run.metric();
  const auto worths = [&](const std::string& what) {
    std::vector<double> all;
    for (const WidthCost& width : run.widths) all.push_back(run.last(what, width.subnet));
    return all;
  };
  // Live or averaged weights, whichever are better on the whole. A sum with a NaN is never larger.
  std::vector<double> live = worths(metric), averaged = worths("ema_" + metric);
  const auto sum = [](const std::vector<double>& all) { return std::accumulate(all.begin(), all.end(), 0.0); };
  const bool use_averaged = std::isnan(sum(live)) ? !std::isnan(sum(averaged)) : sum(averaged) > sum(live);
  const std::vector<double>& worth = use_averaged ? averaged : live;
  Contest contest{run.name, run.subnets(), {}};
  for (size_t i = 0; i < run.widths.size(); ++i) {
    const double number = cost_of(run, run.widths[i], cost);
    // Of a speed, what counts is the time.
    contest.priced.push_back({cost == Cost::images_per_second ? 1000 / number : number, worth[i]});
  }
  return contest;
}

// Rows of the table: by the values of the first axis, then by cost; without a second axis in the order of the run.
std::vector<size_t> table_order(const RunData& run, const Views& views) {
  std::vector<size_t> order(run.widths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!views.several_axes()) return order;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return views.group[a] != views.group[b] ? views.group[a] < views.group[b] : run.widths[a].macs < run.widths[b].macs;
  });
  return order;
}

}  // namespace

bool several_axes(const Runs& runs) {
  return std::any_of(runs.begin(), runs.end(), [](const RunData& run) { return grouped_views(run.subnets()).several_axes(); });
}

Fronts fronts_of(const Runs& runs, Cost cost) {
  const Style style = style_of(runs[0].metric());
  Fronts fronts;
  fronts.words = {cost == Cost::macs ? "MACs" : "ms",
                  cost == Cost::macs ? "MACs of one image" : "milliseconds an image, measured", style.axis, style.format,
                  style.distance};
  fronts.contest = contest_of(runs[0], cost);
  for (size_t r = 1; r < runs.size(); ++r) {
    if (!runs[r].widths.empty()) fronts.rivals.push_back(contest_of(runs[r], cost));
  }
  return fronts;
}

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
        const bool labelled = !(ema && std::isfinite(live)) && (runs.size() == 1 || runs[r].widths.size() > 1);
        points.push_back({x, value, labelled ? short_text(width.subnet) : ""});
        if (r > 0) continue;
        chart.alt += concat(chart.alt.empty() ? "" : ", ", subnet_text(width.subnet), ema ? " averaged " : " ",
                            print_finite(style.format, value));
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
  const bool fronts = several_axes(runs);
  std::vector<std::vector<std::string>> rows(1);
  if (runs.size() > 1) rows[0].push_back("run");
  // Kinds of models may differ in their axes.
  std::vector<std::string> axes;
  for (const RunData& run : runs) {
    if (run.widths.empty()) continue;
    for (const models::Axis& axis : run.widths[0].subnet.axes) {
      if (std::find(axes.begin(), axes.end(), axis.name) == axes.end()) axes.push_back(axis.name);
    }
  }
  rows[0].insert(rows[0].end(), axes.begin(), axes.end());
  for (const std::string& name : {std::string("parameters"), std::string("MACs"), style.column, style.column + " (EMA)",
                                  std::string("loss"), std::string("loss (EMA)"), std::string("images/s")}) {
    rows[0].push_back(name);
  }
  if (fronts) rows[0].push_back("on the front");
  for (const RunData& run : runs) {
    const std::vector<size_t> front = pareto_front(contest_of(run, Cost::macs).priced);
    for (const size_t i : table_order(run, grouped_views(run.subnets()))) {
      const auto& [subnet, params, macs] = run.widths[i];
      std::vector<std::string> row;
      if (runs.size() > 1) row.push_back(run.name);
      for (const std::string& name : axes) {
        const std::optional<double> value = subnet.on(name);
        row.push_back(value ? axis_text({name, *value}) : "-");
      }
      const double speed = cost_of(run, {subnet, params, macs}, Cost::images_per_second);
      for (const std::string& cell :
           {concat(params), concat(macs), print_finite(style.table, run.last(metric, subnet)),
            print_finite(style.table, run.last("ema_" + metric, subnet)), print_finite("%.4f", run.last("loss", subnet)),
            print_finite("%.4f", run.last("ema_loss", subnet)), print_finite("%.0f", speed)}) {
        row.push_back(cell);
      }
      if (fronts) row.push_back(std::find(front.begin(), front.end(), i) == front.end() ? "" : "yes");
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::string incomparable(const RunData& run, const RunData& other) {
  for (const char* file : {"checkpoint", "summary.csv"}) {
    if (other.problems.count(file)) return "not drawn: " + other.problems.at(file);
  }
  const auto images = [](const RunData& of) {
    const auto found = of.header->provenance.find("test_checksum");
    return found == of.header->provenance.end() ? "" : found->second;
  };
  if (run.header && images(run) != images(other)) return "measured on other test images, so its accuracy does not compare";
  return other.images_per_second.empty() ? "its speed was not measured" : "";
}

}  // namespace hv::train
