#include "train/start/setup.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "core/kernels/bf16.h"
#include "core/kernels/gemm.h"
#include "core/parallel.h"
#include "data/classes.h"
#include "models/kinds.h"
#include "train/exchange/timm_safetensors.h"
#include "train/files/file.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/predict/need.h"
#include "train/start/model_choice.h"
#include "train/start/provenance.h"
#include "train/start/reading.h"
#include "train/state/load.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

int64_t image_side(const TrainOptions& o) { return std::stoll(models::named_model(o.preset, 10).at("image")); }

// The classifier has a row per class. Its rows go where the classes of their names are; if the names are other ones, it starts
// anew. `own` is what it was before it was written to.
void match_classifier(const std::string& path, const std::vector<std::string>& from, const data::Dataset& to,
                      const std::vector<NamedTensor>& classifier, const std::vector<Tensor>& own) {
  const data::ClassMatch match = data::match_classes(from, to.class_names());
  if (match == data::ClassMatch::same || match == data::ClassMatch::unknown) return;
  const NoGrad off;
  for (size_t i = 0; i < own.size(); ++i) {
    const Tensor rows = classifier[i].value, written = rows.clone();
    if (match == data::ClassMatch::other) {
      rows.copy_(own[i]);
      continue;
    }
    const std::vector<int64_t> map = data::class_map(from, to.class_names());
    for (int64_t k = 0; k < std::ssize(map); ++k) {
      rows.select(0, map[static_cast<size_t>(k)]).copy_(written.select(0, k));
    }
  }
  say(match == data::ClassMatch::other
          ? concat("NOTICE: ", path, " has other classes than the data (",
                   printable(data::names_missing(from, to.class_names())),
                   "): the classifier starts anew, all other weights are kept")
          : concat("NOTICE: ", path, " has the classes of the data in another order; they are matched by name"));
}

// Copies the weights of a checkpoint or of timm's model. Those of a narrower model become the part of that width, as the
// HydraViT authors start from DeiT-tiny.
void start_from(const std::string& path, const models::ElasticModel& model, const data::Dataset& data) {
  const models::Config config = model.config();
  const std::optional<models::PlainVit> whole = models::plain_vit(config);
  HV_CHECK_USAGE(whole, "--init: a model of kind ", config.at("model"),
                 " starts from no file: it is no plain vision transformer");
  const TimmModel start = is_safetensors(path) ? read_timm_safetensors(path, {head_size_at(config, width_in(path)), whole->eps})
                                               : load_timm(path, 0, false);
  // The model's head_dim and eps are used for a file that says none, so they may be wrong.
  if (!start.guess.empty()) say(concat("NOTICE: ", path, ": ", start.guess, ", as the model has"));
  std::vector<NamedTensor> parameters;
  for (const nn::Parameter& parameter : model.parameters()) parameters.push_back({parameter.name, parameter.value.detach()});
  std::vector<NamedTensor> classifier;
  std::vector<Tensor> own;
  for (const NamedTensor& parameter : parameters) {
    if (parameter.name.rfind("head", 0) != 0) continue;
    classifier.push_back(parameter);
    own.push_back(parameter.value.clone());
  }
  const bool same_classes = put_timm(start, path, config, parameters);
  const std::string positions = positions_notice(start.vit, *whole);
  if (!positions.empty()) say(concat("NOTICE: ", path, ": ", positions));
  if (same_classes) {
    match_classifier(path, start.class_names, data, classifier, own);
    const std::string classifiers = classifiers_notice(start.vit, *whole);
    if (!classifiers.empty()) say(concat("NOTICE: ", path, ": ", classifiers));
  } else {
    say(concat("NOTICE: ", path, " tells ", start.vit.classes, " classes apart, the data have ", whole->classes,
               ": the classifier starts anew, all other weights are kept"));
  }
  if (start.vit.width < whole->width) {
    const bool heads = start.vit.heads < whole->heads;
    say(concat("NOTICE: ", path, " holds ", heads ? start.vit.heads : start.vit.width, " of the model's ",
               heads ? whole->heads : whole->width, heads ? " heads" : " columns", ": the rest starts anew"));
  }
  if (start.vit.eps != whole->eps) {
    say(concat("NOTICE: ", path, " has LayerNorms that add ", start.vit.eps, ", the model's add ", whole->eps));
  }
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
  HV_CHECK_USAGE(kind != "shapes10" || folder.empty() || folder == "shapes10",
                 "--kind shapes10: the built-in set lies in no "
                 "folder, and ",
                 folder, " is one; leave out one of the two");
  if (kind == "shapes10" && folder.empty()) source.data = "shapes10";
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
  Prepared p{source, data::open(source, data::Split::train), data::open(source, data::Split::test), nullptr, {}};
  HV_CHECK_USAGE(p.train->height() == image_size, "--preset: ", o.preset, " is for images of ", image_size, " pixels, ",
                 p.train->name(), " has ", p.train->height(), "; choose another preset");
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
  p.subnets = choose_subnets(*p.model, o.subnets);
  return p;
}

}  // namespace hv::train
