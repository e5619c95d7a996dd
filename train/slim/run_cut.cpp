#include "train/slim/run_cut.h"

#include <algorithm>
#include <cstdio>

#include "train/io/json.h"
#include "train/io/print.h"
#include "train/start/output.h"
#include "train/start/setup.h"
#include "train/state/load.h"
#include "train/structure/layers.h"

namespace hv::train {

int run_cut(const CutArguments& a, const std::set<std::string>& given) {
  const std::string& run = a.run.at(0);
  HV_CHECK_USAGE(!a.out.empty(), "slim cut: name the file of the cut model with --out");
  const bool budget = std::any_of(given.begin(), given.end(), [](const std::string& name) {
    const std::set<std::string> ways = {"attention", "mlp", "tokens", "nested", "macs", "ms"};
    return ways.contains(name);
  });
  HV_CHECK_USAGE(budget, "slim cut: how much shall stay? --attention and --mlp, --tokens, --nested, --macs or --ms");
  check_output({"--out", a.out, FileKind::checkpoint, a.force, {run}});
  start_compute(0);
  const Loaded loaded = load_model(run, a.ema);
  const auto* const search = dynamic_cast<const models::SlimSearch*>(loaded.model.get());
  const bool cut_before = loaded.header.model.at("model") == "slim";
  HV_CHECK_USAGE(search, "slim cut: ", run, cut_before ? " is cut already; cut its search again" : " has no masks",
                 cut_before ? "" : "; hydravit slim search learns them");
  const models::SlimPlan plan = choose_cut(*search, a.options);
  const auto model = cut(plan, *search);

  Header header;
  header.model = model->config();
  header.seed = loaded.header.seed;
  header.class_names = loaded.header.class_names;
  header.mean = loaded.header.mean;
  header.std = loaded.header.std;
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : model->parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
  save_checkpoint(a.out, header, tensors);

  const std::vector<models::Cost> costs = costs_of(plan.config);
  const models::Cost whole = costs_of(
      models::plan_cut(search->uncut(), models::slim_search_from_config(search->config()).heads, {}, {{}}, {1}).config)[0];
  if (a.json) {
    Json list = Json::empty_list();
    for (size_t b = 0; b < costs.size(); ++b) {
      Json row{{"subnet", costs[b].subnet.name}, {"params", costs[b].params}, {"macs", costs[b].macs}};
      row.add("attention_threshold", plan.thresholds[b].attention).add("mlp_threshold", plan.thresholds[b].mlp);
      list.push(row.add("tokens_threshold", plan.thresholds[b].tokens));
    }
    const Json json{{"file", a.out},
                    {"uncut_params", whole.params},
                    {"uncut_macs", whole.macs},
                    {"model", typed(header.model)},
                    {"results", list}};
    std::printf("%s\n", json.text().c_str());
    return 0;
  }
  std::printf("%s", aligned(layer_table(block_sizes(plan.config))).c_str());
  if (a.options.round > 1) show(concat("sizes are rounded to multiples of ", a.options.round));
  for (const models::Cost& cost : costs) {
    show(print("%s: %lld parameters, %.1f %% of the uncut model's; %lld MACs, %.1f %%", cost.subnet.label.c_str(),
               static_cast<long long>(cost.params), 100 * static_cast<double>(cost.params) / static_cast<double>(whole.params),
               static_cast<long long>(cost.macs), 100 * static_cast<double>(cost.macs) / static_cast<double>(whole.macs)));
  }
  show(concat(a.out, ": retrain it with hydravit train --init ", a.out));
  return 0;
}

}  // namespace hv::train
