#include "train/structure/section.h"

#include "train/io/print.h"
#include "train/state/load.h"
#include "train/structure/charts.h"
#include "train/structure/layers.h"

namespace hv::train {
namespace {

const std::vector<double> kBudgets = {0.5, 0.6, 0.7, 0.8};  // marked; blocks are shown at the first and the third

void add_charts(const std::string& name, const std::vector<Chart>& charts, const Figure& figure, const std::string& caption) {
  for (size_t i = 0; i < charts.size(); ++i) figure(i == 0 ? name : concat(name, "-", i + 1), svg(charts[i]), caption);
}

void add_layers(Page& page, const RunData& run, const Figure& figure) {
  const std::vector<models::LayerSizes> all = models::layer_sizes(run.header->model);
  std::vector<models::LayerSizes> shown;
  for (const WidthCost& width : run.widths) shown.push_back(all.at(static_cast<size_t>(width.subnet.id)));
  page.section("structure", "What is left of each block");
  add_charts("layers", kept_charts(shown), figure,
             "The share of what a block of the uncut model has; blocks as the images pass them.");
  page.fold("The sizes of every block", layer_table(shown));
}

void add_ranking(Page& page, const RunData& run, const models::Kind& kind, const Figure& figure) {
  page.section("structure", "What a cut would keep");
  try {
    const models::Ranking ranking = kind.ranking(*load_model(run.held).model, kBudgets);
    page.text(
        "Each family of masks is ranked over all blocks at once. Dotted lines are budgets: what is left of one stays, and its "
        "threshold is where it meets the curve. The steeper the curve is there, the clearer the choice.");
    add_charts("masks", ranking_charts(ranking, kBudgets), figure, "Live weights.");
    std::vector<std::vector<std::string>> rows = {{"thresholds at a budget of"}};
    for (const double budget : kBudgets) rows[0].push_back(print("%g", budget));
    for (const models::Ranking::Family& family : ranking.families) {
      rows.push_back({family.name});
      for (const double threshold : family.thresholds) rows.back().push_back(print("%.4g", threshold));
    }
    page.table(rows);
    const std::vector<models::LayerSizes> some = {ranking.kept.at(0), ranking.kept.at(2)};
    page.heading(print("What budgets of %g and %g would leave of each block", kBudgets[0], kBudgets[2]));
    page.text("Of tokens more is left than the budget says: one that stays in a block stays in all blocks before it.");
    add_charts("kept", kept_charts(some), figure, "Blocks as the images pass them.");
    page.fold("The sizes of every block", layer_table(some));
  } catch (const Error& error) {
    if (error.fault() == Fault::failure) throw;
    page.missing(concat("Not shown: ", error.what(), "."));
  }
}

}  // namespace

void add_structure(Page& page, const RunData& run, const Figure& figure) {
  if (!run.header || run.widths.empty()) return;
  const models::Kind& kind = models::kind_of(run.header->model);
  if (kind.sizes) add_layers(page, run, figure);
  if (kind.ranking) add_ranking(page, run, kind, figure);
}

}  // namespace hv::train
