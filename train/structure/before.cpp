#include "train/structure/before.h"

#include <algorithm>
#include <filesystem>

#include "train/evaluate.h"
#include "train/predict/need.h"
#include "train/state/load.h"

namespace hv::train {
namespace {

constexpr double kMostWork = 1e12;  // multiply-adds: half a minute on two cores

// Options may change what a training does to a model, but not what its subnetworks are.
bool same_model(const models::Config& a, const models::Config& b) {
  const std::vector<models::Cost> left = models::costs(a), right = models::costs(b);
  return a.at("model") == b.at("model") && models::layer_sizes(a) == models::layer_sizes(b) &&
         std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& one, const auto& other) {
           return one.subnet.name == other.subnet.name && one.params == other.params && one.macs == other.macs;
         });
}

Table row_of(const std::vector<Result>& results) {
  Table table{{"images"}, {{static_cast<double>(results.at(0).images)}}};
  for (const Result& result : results) {
    for (const Metric& metric : result.metrics) {
      if (!metric.summary) continue;
      table.names.push_back(metric.name + "_" + result.subnet.name);
      table.columns.push_back({metric.value});
    }
  }
  return table;
}

RunData measured(const RunData& run, const std::string& init, const data::Dataset& test) {
  Loaded loaded = load_model(init);
  HV_CHECK_INPUT(same_model(loaded.header.model, run.header->model), init, ": holds another model than the run");
  HV_CHECK_INPUT(loaded.model->classes() == test.classes() && loaded.model->image_size() == test.height(), init,
                 ": is of other data than the run");
  const std::vector<models::Subnet> subnets = run.subnets();
  EvaluateOptions options;
  options.batch_size = fitting_batch(init, loaded.header.model, subnets, options.batch_size);
  options.seed = run.header->seed;
  options.normalization = {loaded.header.mean, loaded.header.std};
  const std::vector<double>* const images = run.summary ? run.summary->find("images") : nullptr;
  const double all = static_cast<double>(test.size()), asked = images && images->back() > 0 ? images->back() : all;
  const double fit = std::max(1.0, kMostWork / work_of(loaded.header.model, subnets));
  options.limit = static_cast<int64_t>(std::min({asked, all, fit}));
  const std::vector<Result> results = evaluate(*loaded.model, subnets, test, options);

  RunData before;
  before.folder = init;
  before.name = std::filesystem::path(init).filename().string() + ", before training";
  before.header = loaded.header;
  before.header->provenance = run.header->provenance;  // the same images
  before.widths = run.widths;
  before.summary = row_of(results);
  before.images_per_second = run.images_per_second;  // the same model
  return before;
}

}  // namespace

Before before_training(const RunData& run, const data::Dataset* test, const std::string& no_images) {
  const std::string init = run.option("init");
  if (init.empty() || run.widths.empty() || models::layer_sizes(run.header->model).empty()) return {};
  if (!test) return {{}, 0, no_images};
  try {
    Before before{measured(run, init, *test), 0, ""};
    before.images = static_cast<int64_t>(before.run->summary->columns[0][0]);
    return before;
  } catch (const Error& error) {
    return {{}, 0, error.what()};
  }
}

}  // namespace hv::train
