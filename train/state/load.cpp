#include "train/state/load.h"

#include "nn/init.h"
#include "train/io/print.h"
#include "train/state/run_folder.h"

namespace hv::train {

void restore_parameters(const Checkpoint& checkpoint, const std::string& prefix, const nn::Module& model) {
  NoGrad off;
  const std::vector<nn::Parameter> parameters = model.parameters();
  for (const nn::Parameter& parameter : parameters) {  // all checks before the first change
    const Tensor& value = checkpoint.tensor(prefix + parameter.name);
    HV_CHECK_INPUT(value.shape() == parameter.value.shape(), checkpoint.path, ": tensor ", prefix, parameter.name, " is ",
                   value.shape(), ", the model wants ", parameter.value.shape(), "; is it a checkpoint of another model?");
  }
  for (const nn::Parameter& parameter : parameters) parameter.value.copy_(checkpoint.tensor(prefix + parameter.name));
}

std::unique_ptr<models::ElasticModel> model_of(const Header& header, const std::string& path) {
  int64_t held = 0, described = 0;
  for (const TensorEntry& entry : header.tensors) held += entry.name.rfind("model.", 0) == 0 ? numel(entry.shape) : 0;
  std::unique_ptr<models::ElasticModel> model;
  const nn::Undrawn weights_are_restored;
  try {
    described = models::all_params(models::costs(header.model));
    // Before anything is built: a few bytes of configuration must not ask for gigabytes of weights.
    if (described == held) model = models::make_model(header.model, header.seed);
  } catch (const Error& error) {
    fail(Fault::input, path, ": describes no model this program can build: ", error.what());
  }
  HV_CHECK_INPUT(model, path, ": describes ", described, " parameters and holds ", held,
                 ": is it a checkpoint of another model?");
  const auto channels = header.model.find("channels");
  HV_CHECK_INPUT(channels == header.model.end() || channels->second == "3", path, ": a model for images of ", channels->second,
                 " channels; the images here have 3");
  HV_CHECK_INPUT(static_cast<int64_t>(header.class_names.size()) == model->classes(), path, ": names ",
                 header.class_names.size(), " classes, its model has ", model->classes());
  return model;
}

namespace {

template <class Where>
Loaded load_from(const Where& where, bool ema) {
  const std::string prefix = ema ? "ema." : "model.";
  Checkpoint checkpoint = load_run(where, say, [&](const std::string& name) { return name.rfind(prefix, 0) == 0; });
  HV_CHECK_USAGE(!ema || !checkpoint.tensors.empty(), checkpoint.path, ": has no averaged weights; leave out --ema");
  Loaded loaded{checkpoint.header, model_of(checkpoint.header, checkpoint.path), checkpoint.path};
  for (int c = 0; c < 3; ++c) {
    HV_CHECK_INPUT(loaded.header.std[static_cast<size_t>(c)] > 0, loaded.path, ": damaged header: normalisation by ",
                   loaded.header.std[static_cast<size_t>(c)]);
  }
  restore_parameters(checkpoint, prefix, *loaded.model);
  loaded.model->eval();
  return loaded;
}

}  // namespace

Loaded load_model(const std::string& run_or_file, bool ema) { return load_from(run_or_file, ema); }
Loaded load_model(const OpenFolder& run, bool ema) { return load_from(run, ema); }

}  // namespace hv::train
