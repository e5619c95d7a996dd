#include "train/report/about.h"

#include "models/classifiers.h"
#include "train/log/progress.h"
#include "train/views/views.h"

namespace hv::train {

void add_about(Page& page, const RunData& run) {
  page.section("run", "The run");
  if (!run.header) {
    page.missing("No checkpoint, so nothing is known of the run's options and model: " + run.why("checkpoint") + ".");
    return;
  }
  const Header& header = *run.header;
  const auto of = [](const auto& map, const char* name) {
    const auto found = map.find(name);
    return found == map.end() ? concat("?") : concat(found->second);
  };
  const auto seconds = header.metrics.find("seconds");
  std::vector<std::vector<std::string>> rows = {{"what", "value"}};
  const bool several = grouped_views(run.subnets()).several_axes();
  rows.push_back({"model", concat(of(header.options, "preset"), ", ", run.widths.size(),
                                  several                  ? " subnetworks"
                                  : run.widths.size() == 1 ? " width"
                                                           : " widths")});
  rows.push_back({"data", concat(of(header.provenance, "data"), ", ", of(header.provenance, "data_images"),
                                 " training images, checksum ", of(header.provenance, "data_checksum"))});
  rows.push_back(
      {"length", concat(of(header.counters, "step"), " steps, ", of(header.counters, "images"), " images",
                        seconds == header.metrics.end() ? "" : ", " + format_duration(seconds->second) + " of training")});
  if (run.events && !run.events->ending.empty()) rows.push_back({"ending", run.events->ending});
  for (const auto& [name, value] : header.provenance) {
    if (name.rfind("data", 0) != 0 || name == "data_source") rows.push_back({name, value});
  }
  page.table(rows, true);
  if (const auto classifiers = models::classifier_table(models::costs(header.model)); !classifiers.empty()) {
    page.text("Which classifier serves which width:");
    page.table(classifiers, true);
  }
  page.text("The command that repeats it:");
  page.code(repeat_command(header));
  rows = {{"option", "value"}};
  for (const auto& [name, value] : header.options) {
    if (!value.empty()) rows.push_back({name, value});
  }
  page.fold("Every option as resolved", rows);
  rows = {{"model", "value"}};
  for (const auto& [name, value] : header.model) rows.push_back({name, value});
  page.fold("The model's configuration", rows);
}

}  // namespace hv::train
