#include "train/start/first_weights.h"

#include "data/classes.h"
#include "models/kinds.h"
#include "train/exchange/timm_safetensors.h"
#include "train/files/file.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/state/load.h"

namespace hv::train {
namespace {

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

// The checkpoint that --init names, itself or by its run; "" if it names none.
std::string checkpoint_of(const std::string& init) {
  const std::string path = is_folder(init) ? join_path(init, "last.ckpt") : init;
  return file_exists(path) && is_checkpoint(path) ? path : "";
}

// Whether they are one architecture: they may differ in the number of classes and in how it is trained.
bool same_architecture(models::Config a, models::Config b) {
  if (a.count("classes") + b.count("classes") < 2) return false;  // a damaged file: what reads it next says so
  for (const char* free : {"classes", "drop_path", "dropout", "init"}) {
    a.erase(free);
    b.erase(free);
  }
  return a == b;
}

// The weights of the same model, by their names. `path` is what --init says.
void start_same(const std::string& path, const models::ElasticModel& model, const data::Dataset& data) {
  const Checkpoint from =
      load_checkpoint(checkpoint_of(path), [](const std::string& name) { return name.starts_with("model."); });
  const bool same_classes = from.header.model.at("classes") == model.config().at("classes");
  const NoGrad off;
  std::vector<NamedTensor> classifier;
  std::vector<Tensor> own;
  for (const nn::Parameter& p : model.parameters()) {
    const bool head = p.name.starts_with("head");
    if (head) classifier.push_back({p.name, p.value.detach()});
    if (head) own.push_back(p.value.clone());
    if (head && !same_classes) continue;
    const Tensor& value = from.tensor("model." + p.name);
    HV_CHECK_INPUT(value.shape() == p.value.shape(), path, ": tensor model.", p.name, " is ", value.shape(),
                   ", the model wants ", p.value.shape());
    p.value.copy_(value);
  }
  if (same_classes) return match_classifier(path, from.header.class_names, data, classifier, own);
  say(concat("NOTICE: ", path, " tells ", from.header.model.at("classes"), " classes apart, the data have ", model.classes(),
             ": the classifier starts anew, all other weights are kept"));
}

}  // namespace

void take_model(TrainOptions& o, bool preset_given) {
  if (preset_given && o.preset != kOfInit) return;
  const std::string checkpoint = checkpoint_of(o.init);
  HV_CHECK_USAGE(!checkpoint.empty() || o.preset != kOfInit,
                 "--preset init: --init names no checkpoint to take the model from");
  if (checkpoint.empty()) return;
  const models::Config model = read_header(checkpoint).model;
  if (o.preset != kOfInit && !models::kind_of(model).presets.empty()) return;
  o.preset = kOfInit;
  o.model = model;
}

void start_from(const std::string& path, const models::ElasticModel& model, const data::Dataset& data) {
  const models::Config config = model.config();
  const std::string checkpoint = checkpoint_of(path);
  if (!checkpoint.empty() && same_architecture(read_header(checkpoint).model, config)) return start_same(path, model, data);
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

}  // namespace hv::train
