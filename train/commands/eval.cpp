// hydravit eval: one row per subnetwork, on the test images.
#include <cstdio>

#include "data/sample.h"
#include "train/answers/thresholds.h"
#include "train/cascade/options.h"
#include "train/cascade/sweep.h"
#include "train/choice/choose.h"
#include "train/commands/commands.h"
#include "train/evaluate.h"
#include "train/io/json.h"
#include "train/io/memory.h"
#include "train/io/print.h"
#include "train/log/label_table.h"
#include "train/log/results.h"
#include "train/predict/evaluated.h"
#include "train/predict/need.h"
#include "train/start/output.h"
#include "train/start/provenance.h"
#include "train/start/setup.h"
#include "train/start/test_data.h"
#include "train/state/load.h"

namespace hv::train {
namespace {

struct EvalArguments {
  std::vector<std::string> checkpoint;
  SubnetChoice subnets;
  std::string data, kind = "auto", sort = "model", predictions, thresholds = "auto";
  CascadeChoice cascade;
  int64_t limit = 0, batch_size = 250, threads = 0;
  bool ema = false, json = false, ignore_class_names = false, force = false;
};

int run_eval(const EvalArguments& a, const std::set<std::string>& given) {
  if (!a.predictions.empty()) check_output({"--predictions", a.predictions, FileKind::safetensors, a.force});
  std::vector<double> thresholds;
  if (a.thresholds != "auto") thresholds = parse_thresholds("--thresholds", a.thresholds);
  start_compute(a.threads);
  const Loaded loaded = load_model(a.checkpoint.at(0), a.ema);
  const std::optional<Cascade> cascade =
      chosen_cascade(a.cascade, given, *loaded.model, given.contains("thresholds") ? "--thresholds" : "");
  std::vector<models::Subnet> subnets = choose_trained(loaded.model->subnets(), loaded.header, a.subnets);
  if (cascade) add_stages(subnets, *cascade);
  const TestData data = open_test_data(loaded, a.data, a.kind, a.ignore_class_names);
  const data::DatasetPtr& test = data.set;
  HV_CHECK_USAGE(!cascade || test->scorer() == "classes", "--cascade: ", test->name(),
                 " has several labels per image; how sure an answer is can be measured for one label per image");
  say(start_line(static_cast<int64_t>(loaded.header.seed), data.source, nullptr, test.get()));
  EvaluateOptions how;
  how.limit = a.limit;
  how.seed = loaded.header.seed;
  how.scores.details = true;
  const int64_t images = a.limit > 0 ? std::min(a.limit, test->size()) : test->size(), batch = std::min(a.batch_size, images);
  const bool keeps = !a.predictions.empty() || cascade;
  const double logit_bytes = keeps ? 4.0 * static_cast<double>(std::ssize(subnets) * images * test->classes()) : 0;
  how.batch_size = fitting_batch(loaded.path, loaded.model->config(), subnets, batch, Pass::forward, logit_bytes);
  if (how.batch_size < batch) say(concat("NOTICE: ", how.batch_size, " images a pass: more do not fit into memory"));
  how.normalization = {loaded.header.mean, loaded.header.std};
  std::vector<std::vector<float>> logits(subnets.size());
  if (keeps) {
    for (std::vector<float>& kept : logits) kept.reserve(static_cast<size_t>(images * test->classes()));
    how.seen = [&](size_t w, const Tensor& seen) {
      logits[w].insert(logits[w].end(), seen.data(), seen.data() + seen.numel());
    };
  }
  how.thresholds = thresholds_on(data.validation.get(), *loaded.model, subnets, how);
  if (!data.validation) how.thresholds = thresholds_in(loaded.header, *loaded.model, subnets, a.ema);
  if (!data.validation && !how.thresholds.empty()) {
    say(concat("thresholds: those of ", loaded.path, ", for these data have no validation pictures"));
  }
  const std::vector<Result> results = evaluate(*loaded.model, subnets, *test, how);
  if (!a.predictions.empty()) {
    write_evaluated(a.predictions, loaded, *test, data::sample(*test, a.limit, how.seed), results, logits);
    if (cascade) say("NOTICE: --predictions: the file holds the logits of each width; those of the cascade are among them");
  }
  std::vector<CascadePoint> points;
  if (cascade) {
    const StageResults stages = stage_results(*loaded.model, *cascade, results, logits);
    if (thresholds.empty()) thresholds = spread_thresholds(*cascade, stages, test->classes());
    how.batch_size = cascade_batch(loaded.path, *loaded.model, *cascade, batch, 2 * logit_bytes);
    how.seen = {};
    points = sweep(*loaded.model, *cascade, thresholds, *test, how, stages);
  }
  if (a.json) {
    Json json = results_json(ordered(results, a.sort));
    if (cascade) json.add("cascade", sweep_json(*cascade, points));
    std::printf("%s\n", json.text().c_str());
    return 0;
  }
  std::fputs(results_table(ordered(results, a.sort), a.sort).c_str(), stdout);
  std::fputs(label_tables(results).c_str(), stdout);
  if (cascade) std::printf("\n%s", sweep_table(*cascade, points).c_str());
  return 0;
}

}  // namespace

Command eval_command() {
  const auto a = std::make_shared<EvalArguments>();
  Fields fields = {
      {kSubnetsOption, &a->subnets.heads, "widths, as 5, 3-8, 3,5,8 or all; default: all it was trained for"},
      {kNamesOption, &a->subnets.names, kNamesHelp},
      {"sort", &a->sort, "order of the rows; top1: by what decides", 0, 0, result_orders()},
      {"data", &a->data, "folder with the data, or a built-in set; default: as in training"},
      {"kind", &a->kind, "what the folder holds", 0, 0, data::kind_names()},
      {"limit", &a->limit, "use this many test images; 0: all", 0, 1e9},
      {"ignore-class-names", &a->ignore_class_names, "match classes by number, whatever they are called", 0, 0, {}, true},
      {"batch-size", &a->batch_size, "images a pass", 1, 65536},
      {"threads", &a->threads, "cores to use; 0: all", 0, 1024},
      {"ema", &a->ema, "use the averaged weights", 0, 0, {}, true},
      {"predictions", &a->predictions, "a safetensors file to write: images, labels, and the logits of every width"},
      memory_field(),
      {"force", &a->force, "replace a file of another kind, or the input", 0, 0, {}, true},
      {"json", &a->json, "machine-readable output", 0, 0, {}, true},
  };
  const char* help = "where an answer is sure enough, as 0.2,0.5; auto: about eight of them";
  add_fields(fields, "cascade", a->cascade.fields({"thresholds", &a->thresholds, help}));
  return {"eval",
          "accuracy, cost and speed of every width of a checkpoint",
          std::move(fields),
          {{"CKPT", "checkpoint or run folder", &a->checkpoint}},
          [a](const std::set<std::string>& given) { return run_eval(*a, given); }};
}

}  // namespace hv::train
