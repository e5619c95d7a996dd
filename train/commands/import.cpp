// hydravit import: a vision transformer of timm's (ViT, DeiT, distilled DeiT) from a safetensors file, as a checkpoint.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "models/kinds.h"
#include "train/commands/commands.h"
#include "train/exchange/layers.h"
#include "train/exchange/timm_safetensors.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/io/ranges.h"
#include "train/start/output.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

struct ImportArguments {
  std::vector<std::string> file;
  std::string preset, heads, out;
  int64_t head_dim = 0, into_heads = 0, heads_min = 0, seed = 0;
  double eps = 0;
  bool force = false;
};

// A preset's model, as the file in what the file decides: classes, and for kinds that have them a DIST token and eps.
models::Config preset_for(const ImportArguments& a, const std::string& path, const models::PlainVit& file) {
  models::Config config = models::named_model(a.preset, file.classes);
  const std::optional<models::Config> alone = models::kind_of(config).alone(file, {});
  HV_CHECK_USAGE(alone, "--preset: ", a.preset, " is another kind of model than ", path, ", which has ",
                 file.distilled ? "a" : "no", " DIST token and LayerNorms that add ", file.eps);
  for (const char* entry : {"distilled", "eps"}) {
    if (config.count(entry) > 0) config[entry] = alone->at(entry);
  }
  return config;
}

// The model to make: as the file says; a preset gives the figures that no option gives.
models::Config target(const ImportArguments& a, const std::string& path, const TimmModel& file) {
  models::Config config = a.preset.empty() ? file.config : preset_for(a, path, file.vit);
  if (const auto own = file.config.find("classifiers"); own != file.config.end()) config["classifiers"] = own->second;
  const bool all = a.heads.empty() || a.heads == kAllSubnets;
  const auto entry = config.find("heads_min");  // of kinds whose width is a number of heads
  if (entry == config.end()) {
    HV_CHECK_USAGE(all && a.into_heads + a.heads_min == 0, all ? "--into-heads, --heads-min" : "--heads", ": a model of kind ",
                   config.at("model"), " has its widths by --preset");
    return config;
  }
  int64_t heads = models::plain_vit(config)->heads, heads_min = std::stoll(entry->second);
  if (!all) {
    const std::vector<int64_t> list = parse_heads("--heads", a.heads);
    HV_CHECK_USAGE(a.into_heads + a.heads_min == 0, "--heads ", a.heads, ": stands for --heads-min ", list.front(),
                   " and --into-heads ", list.back(), "; leave these out");
    HV_CHECK_USAGE(std::ssize(list) == list.back() - list.front() + 1, "--heads: '", a.heads,
                   "' has a gap; a model runs with every width from its narrowest to its widest; write 3-8");
    heads_min = list.front();
    heads = list.back();
  }
  if (a.into_heads > 0) heads = a.into_heads;
  const bool from_preset = a.into_heads == 0 && a.heads.empty();
  HV_CHECK_USAGE(heads >= file.vit.heads,
                 from_preset       ? "--preset: "
                 : a.heads.empty() ? "--into-heads: "
                                   : "--heads: ",
                 heads, ", but ", path, " has ", file.vit.heads, "; a model can only be put into a wider one");
  if (a.heads_min > 0) heads_min = a.heads_min;
  HV_CHECK_USAGE(heads_min <= heads, "--heads-min: ", heads_min, " is above ", heads, ", the heads of the whole model");
  config["heads_min"] = std::to_string(heads_min);
  config["heads"] = std::to_string(heads);
  try {
    models::costs(config);  // with all its checks
  } catch (const Error& error) {
    fail(Fault::usage, error.what());
  }
  return config;
}

// Parameters by name: those of the file alone need no first weights; what surrounds them in a wider model does.
std::vector<NamedTensor> parameters_of(const models::Config& config, int64_t width, int64_t seed) {
  std::vector<NamedTensor> parameters;
  const models::PlainVit whole = *models::plain_vit(config);
  if (whole.width > width) {
    const auto model = models::make_model(config, static_cast<uint64_t>(seed));
    for (const nn::Parameter& p : model->parameters()) parameters.push_back({p.name, p.value.detach()});
  } else {
    for (const TimmShape& timm : timm_shapes(whole)) parameters.push_back({timm.name, Tensor::empty(timm.shape)});
  }
  return parameters;
}

int run_import(const ImportArguments& a) {
  const std::string& path = a.file.at(0);
  HV_CHECK_INPUT(is_safetensors(path), path,
                 ": not a safetensors file; import reads files with timm's names, as export writes them");
  const std::string out = a.out.empty() ? std::filesystem::path(path).stem().string() + ".ckpt" : a.out;
  check_output({"--out", out, FileKind::checkpoint, a.force, {path}});
  start_compute(0);
  int64_t head_dim = a.head_dim;
  if (head_dim == 0 && !a.preset.empty()) head_dim = head_size_at(models::named_model(a.preset, 10), width_in(path));
  const TimmModel model = read_timm_safetensors(path, {head_dim, a.eps});
  HV_CHECK_USAGE(a.eps == 0 || a.eps == model.vit.eps, "--eps: ", a.eps, ", but ", path, " says that its LayerNorms add ",
                 model.vit.eps);
  HV_CHECK_USAGE(head_dim == 0 || head_dim == model.vit.head_size(), a.head_dim > 0 ? "--head-dim: " : "--preset: heads of ",
                 head_dim, ", but ", path, " says that its heads are ", model.vit.head_size(), " wide");
  models::Config config = model.config;
  std::vector<NamedTensor> parameters;
  if (models::kind_of(config).layers) {  // the model is the file's
    HV_CHECK_USAGE(a.preset + a.heads == "" && a.into_heads + a.heads_min == 0, "--preset, ", kSubnetsOption,
                   ", --into-heads, --heads-min: ", path,
                   " holds a model whose blocks have sizes of their own: it becomes no other");
    parameters = our_parameters(model);
  } else {
    config = target(a, path, model);
    parameters = parameters_of(config, model.vit.width, a.seed);
    put_timm(model, path, config, parameters);
    const models::PlainVit whole = *models::plain_vit(config);
    for (const std::string& notice : {classifiers_notice(model.vit, whole), positions_notice(model.vit, whole)}) {
      if (!notice.empty()) say(concat("NOTICE: ", path, ": ", notice));
    }
  }
  for (NamedTensor& parameter : parameters) parameter.name = "model." + parameter.name;

  Header header;
  header.model = config;
  header.seed = static_cast<uint64_t>(a.seed);
  header.class_names = model.class_names;
  header.mean = model.mean;
  header.std = model.std;
  header.provenance["imported"] = printable(std::filesystem::path(path).filename().string());
  save_checkpoint(out, header, parameters);
  if (!model.guess.empty()) {
    say(concat("NOTICE: ", model.guess, a.head_dim == 0 ? " (if that is wrong, give --head-dim)" : "",
               "; nor how images are normalised (taken as ImageNet's), nor what its classes are called (by numbers)"));
  }
  show(concat(out, ": ", widths_text(config, true), ", ", model.vit.depth, " blocks, ", model.vit.classes, " classes, ",
              models::all_params(models::costs(config)), " parameters"));
  return 0;
}

}  // namespace

Command import_command() {
  const auto a = std::make_shared<ImportArguments>();
  Fields fields = {
      {"preset", &a->preset, "put it into this preset's model: its head width, widths and heads", 0, 0,
       models::plain_presets()},
      {"head-dim", &a->head_dim, "width of a head, where the file does not say; 0: 64, if ViT or DeiT has its width", 0, 1024},
      {"eps", &a->eps, "that LayerNorms add to the variance, where the file does not say; 0: 1e-6, as DeiT's", 0, 0.1},
      {kSubnetsOption, &a->heads, "widths of the model, as 5, 3-8 or all (the file's): the same as the next two"},
      {"into-heads", &a->into_heads, "put it into a model of so many heads, as its leading part; 0: as wide as it is", 0, 256},
      {"heads-min", &a->heads_min, "narrowest width of the model; 0: as the file says, else its own", 0, 256},
      {"seed", &a->seed, "of the weights around it in a wider model", 0, 9e15},
      {"force", &a->force, "replace a file of another kind, or the input", 0, 0, {}, true},
      {"out", &a->out, "the checkpoint; default: named after the file, in this folder"},
  };
  return {"import",
          "a vision transformer of timm's, from safetensors, as a checkpoint",
          std::move(fields),
          {{"FILE", "safetensors file with timm's names", &a->file}},
          [a](const std::set<std::string>&) { return run_import(*a); }};
}

}  // namespace hv::train
