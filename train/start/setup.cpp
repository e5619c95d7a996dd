#include "train/start/setup.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "core/kernels/bf16.h"
#include "core/kernels/gemm.h"
#include "core/parallel.h"
#include "models/kinds.h"
#include "train/files/file.h"
#include "train/io/numbers.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/predict/need.h"
#include "train/recipe.h"
#include "train/start/first_weights.h"
#include "train/start/model_choice.h"
#include "train/start/provenance.h"
#include "train/start/reading.h"
#include "train/state/load.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

int64_t image_side(const TrainOptions& o) {
  const auto given = o.settings.find("image");
  if (given == o.settings.end() || given->second == kAsPreset) return std::stoll(base_model(o, 0).at("image"));
  int64_t side = 0;
  HV_CHECK_USAGE(parse_number(given->second, side) && side > 0, "--image-size: '", given->second, "' is no number of pixels");
  return side;
}

}  // namespace

void start_compute(int64_t threads, const std::string& precision) {
  init_compute(threads > 0 ? static_cast<int>(threads) : num_threads());
  const bool bf16 = precision == "bf16";
  if (bf16 && bf16_unit() == Bf16Unit::none) say("NOTICE: this processor has no bf16 units; products are made in fp32");
  set_precision(bf16 && bf16_unit() != Bf16Unit::none ? Precision::bf16 : Precision::fp32);
}

data::Source choose_data(const std::string& folder, const std::string& kind, int64_t image_size) {
  data::Source source{folder, kind, image_size, reading_progress()};
  HV_CHECK_USAGE(!data::is_built_in(kind) || folder.empty() || folder == kind, "--kind ", kind,
                 ": the built-in set lies in no folder, and ", folder, " is one; leave out one of the two");
  if (data::is_built_in(kind) && folder.empty()) source.data = kind;
  if (!source.data.empty()) return source;
  const char* environment = std::getenv("HYDRAVIT_DATA");
  if (environment && *environment) {
    source.data = environment;
  } else if (data::looks_like_data("datasets")) {
    source.data = "datasets";
  } else {
    source.data = "shapes10";
    say("NOTICE: no data given (--data DIR or HYDRAVIT_DATA) and none in datasets/: using the built-in shapes10, drawn shapes. "
        "For real images: hydravit data get cifar10");
  }
  return source;
}

void say_notes(const std::vector<const data::Dataset*>& sets) {
  std::set<std::string> said;
  for (const data::Dataset* set : sets) {
    for (const std::string& note : set->notes()) {
      if (said.insert(note).second) say("NOTICE: " + printable(note));
    }
  }
}

Prepared prepare(TrainOptions& o, const Checkpoint* checkpoint) {
  start_compute(o.threads, o.precision);
  const int64_t image_size = image_side(o);
  const data::Source source = choose_data(o.data, o.kind, image_size);
  find_field(train_fields(o), "data")->set(source.data);  // HYDRAVIT_DATA may hold what the option refuses
  Prepared p{source, data::open(source, data::Split::train), data::open(source, data::Split::test), nullptr, nullptr, {}};
  if (data::has_validation(source)) p.validation = data::open(source, data::Split::validation);
  HV_CHECK_USAGE(p.train->height() == image_size, "--preset: ", o.preset, " is for images of ", image_size, " pixels, ",
                 p.train->name(), " has ", p.train->height(), "; choose another preset or --image-size ", p.train->height());
  if (o.augment == "auto") o.augment = p.train->default_augment();
  say_notes({p.train.get(), p.test.get()});
  say(start_line(o.seed, source, p.train.get(), p.test.get()));

  if (checkpoint) p.model = model_of(checkpoint->header, checkpoint->path);
  const models::Config config = p.model ? p.model->config() : model_config(o, p.train->classes());
  std::vector<models::Subnet> all;
  for (const models::Cost& cost : models::costs(config)) all.push_back(cost.subnet);
  check_training_fits(config, choose_subnets(all, o.subnets, "the model; it runs with "), o, p.test->size());
  if (!p.model) p.model = models::make_model(config, static_cast<uint64_t>(o.seed));
  HV_CHECK_INPUT(p.model->classes() == p.train->classes() && p.model->image_size() == p.train->height(),
                 checkpoint ? checkpoint->path : o.preset, ": a model of ", p.model->classes(), " classes and images of ",
                 p.model->image_size(), "; ", p.train->name(), " has ", p.train->classes(), " and ", p.train->height(),
                 "; is it a checkpoint of another model?");
  if (!checkpoint && o.init != "trunc_normal" && o.init != "reference") {
    HV_CHECK_USAGE(file_exists(o.init), "--init: '", o.init, "' is neither trunc_normal nor reference nor a checkpoint");
    start_from(o.init, *p.model, *p.train);
  }
  o.label_counts = data::count_labels(*p.train);
  const bool several = o.label_counts.several;
  const Labels wanted = several ? Labels::independent : Labels::exclusive, taught = recipe_kind(recipe_of(o)).labels;
  HV_CHECK_USAGE((taught == Labels::any || taught == wanted) && (several || !p.model->independent()), "--preset: labels of ",
                 p.train->name(),
                 several ? " do not exclude each other; choose a preset for findings, as branches-nano"
                         : " exclude each other; choose a preset for classes, as nano");
  p.subnets = choose_subnets(*p.model, o.subnets);
  return p;
}

}  // namespace hv::train
