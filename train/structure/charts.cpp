#include "train/structure/charts.h"

#include <algorithm>

#include "core/check.h"
#include "train/io/print.h"

namespace hv::train {
namespace {

using models::LayerSizes;

constexpr size_t kPoints = 200;  // per curve; at the size of the chart, more points cannot be distinguished

Series kept_line(const std::string& name, const Colour& colour, int64_t marker, const LayerSizes::Part& part) {
  Series series;
  series.name = name;
  series.colour = colour;
  series.marker = marker;
  for (size_t i = 0; i < part.sizes.size(); ++i) {
    const double share = 100 * static_cast<double>(part.sizes[i]) / static_cast<double>(std::max<int64_t>(1, part.whole));
    series.points.push_back({static_cast<double>(i), share});
  }
  return series;
}

Chart kept_chart(const std::string& title) {
  Chart chart{title, "", {"block"}, {"share that is left, in %"}, {}};
  chart.x.whole = true;
  chart.y.reaches = {0, 100};
  return chart;
}

void describe(Chart& chart, const std::string& name, const LayerSizes::Part& part) {
  chart.alt += concat(chart.alt.empty() ? "" : "; ", name, ":");
  for (const int64_t size : part.sizes) chart.alt += concat(' ', size);
  chart.alt += concat(" of ", part.whole);
}

}  // namespace

std::vector<Chart> kept_charts(const std::vector<LayerSizes>& layers) {
  std::vector<Chart> charts;
  if (layers.size() == 1) charts.push_back(kept_chart("What is left of each block"));
  for (size_t p = 0; !layers.empty() && p < layers[0].parts.size(); ++p) {
    const std::string& part = layers[0].parts[p].name;
    if (layers.size() > 1) charts.push_back(kept_chart(concat("What is left of each block: ", part)));
    for (size_t b = 0; b < layers.size(); ++b) {
      const bool alone = layers.size() == 1;
      const auto at = static_cast<int64_t>(alone ? p : b);
      const std::string name = alone ? part : concat(layers[b].axis, ' ', layers[b].value);
      charts.back().series.push_back(
          kept_line(name, alone ? group_colour(at) : ramp_colour(at, std::ssize(layers)), at, layers[b].parts.at(p)));
      describe(charts.back(), name, layers[b].parts[p]);
    }
  }
  return charts;
}

std::vector<Chart> ranking_charts(const models::Ranking& ranking, const std::vector<double>& budgets) {
  std::vector<Chart> charts;
  for (size_t f = 0; f < ranking.families.size(); ++f) {
    const models::Ranking::Family& family = ranking.families[f];
    Chart chart{
        concat("The masks of ", family.name), "", {"share of the masks of all blocks, largest first, in %"}, {"mask"}, {}};
    chart.x.reaches = {0, 100};
    std::vector<double> values = family.values;
    std::sort(values.begin(), values.end(), std::greater<>());
    Series series;
    series.colour = group_colour(static_cast<int64_t>(f));
    series.marker = -1;
    const size_t count = std::min(kPoints, values.size());
    for (size_t i = 0; i < count; ++i) {
      const size_t at = count > 1 ? i * (values.size() - 1) / (count - 1) : 0;
      series.points.push_back({100 * static_cast<double>(at + 1) / static_cast<double>(values.size()), values[at]});
    }
    chart.series.push_back(series);
    chart.alt = concat(values.size(), " values");
    for (size_t b = 0; b < budgets.size(); ++b) {
      chart.marks.push_back({100 * budgets[b], print("%g %%", 100 * budgets[b])});
      chart.alt += print("; at %g %% the threshold is %.3g", 100 * budgets[b], family.thresholds.at(b));
    }
    charts.push_back(std::move(chart));
  }
  return charts;
}

}  // namespace hv::train
