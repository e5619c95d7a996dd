// hydravit import: a vision transformer of timm's (ViT, DeiT) from a safetensors file, as a checkpoint.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "train/commands/commands.h"
#include "train/exchange/timm_safetensors.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/start/output.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

struct ImportArguments {
  std::vector<std::string> file;
  std::string preset, heads, out;
  int64_t head_dim = 0, into_heads = 0, heads_min = 0, seed = 0;
  bool force = false;
};

// The model to make: as the file says; a preset gives the figures that no option gives.
models::HydraViTConfig target(const ImportArguments& a, const std::string& path, const models::HydraViTConfig& file) {
  models::HydraViTConfig c = file;
  if (!a.preset.empty()) {
    c = models::preset(a.preset);
    c.classes = file.classes;
  }
  if (!a.heads.empty() && a.heads != kAllSubnets) {
    const std::vector<int64_t> heads = parse_heads("--heads", a.heads);
    HV_CHECK_USAGE(a.into_heads + a.heads_min == 0, "--heads ", a.heads, ": stands for --heads-min ", heads.front(),
                   " and --into-heads ", heads.back(), "; leave these out");
    HV_CHECK_USAGE(std::ssize(heads) == heads.back() - heads.front() + 1, "--heads: '", a.heads,
                   "' has a gap; a model runs with every width from its narrowest to its widest; write 3-8");
    c.heads_min = heads.front();
    c.heads = heads.back();
  }
  if (a.into_heads > 0) c.heads = a.into_heads;
  const bool from_preset = a.into_heads == 0 && a.heads.empty();
  HV_CHECK_USAGE(c.heads >= file.heads,
                 from_preset       ? "--preset: "
                 : a.heads.empty() ? "--into-heads: "
                                   : "--heads: ",
                 c.heads, ", but ", path, " has ", file.heads, "; a model can only be put into a wider one");
  if (a.heads_min > 0) c.heads_min = a.heads_min;
  HV_CHECK_USAGE(c.heads_min <= c.heads, "--heads-min: ", c.heads_min, " is above ", c.heads, ", the heads of the whole model");
  try {
    return models::from_config(models::to_config(c));  // with all its checks
  } catch (const Error& error) {
    fail(Fault::usage, error.what());
  }
}

// Parameters by name: those of the file alone need no first weights; what surrounds them in a wider model does.
std::vector<NamedTensor> parameters_of(const models::HydraViTConfig& config, bool wider, int64_t seed) {
  std::vector<NamedTensor> parameters;
  if (wider) {
    const models::HydraViT model(config, static_cast<uint64_t>(seed));
    for (const nn::Parameter& p : model.parameters()) parameters.push_back({p.name, p.value.detach()});
  } else {
    for (const TimmShape& timm : timm_shapes(config)) parameters.push_back({timm.name, Tensor::empty(timm.shape)});
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
  const int64_t head_dim = a.head_dim > 0 || a.preset.empty() ? a.head_dim : models::preset(a.preset).head_dim;
  const TimmModel model = read_timm_safetensors(path, head_dim);
  HV_CHECK_USAGE(head_dim == 0 || head_dim == model.config.head_dim, a.head_dim > 0 ? "--head-dim: " : "--preset: heads of ",
                 head_dim, ", but ", path, " says that its heads are ", model.config.head_dim, " wide");
  const models::HydraViTConfig config = target(a, path, model.config);
  std::vector<NamedTensor> parameters = parameters_of(config, config.heads > model.config.heads, a.seed);
  put_timm(model, path, config, parameters);
  for (NamedTensor& parameter : parameters) parameter.name = "model." + parameter.name;

  Header header;
  header.model = models::to_config(config);
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
  show(concat(out, ": ", widths_text(config), " of ", config.head_dim, ", ", config.depth, " blocks, ", config.classes,
              " classes, ", models::parameter_count(config, config.heads), " parameters"));
  return 0;
}

}  // namespace

Command import_command() {
  const auto a = std::make_shared<ImportArguments>();
  Fields fields = {
      {"preset", &a->preset, "put it into this preset's model: its head width, widths and heads", 0, 0, models::preset_names()},
      {"head-dim", &a->head_dim, "width of a head, where the file does not say; 0: 64, if ViT or DeiT has its width", 0, 1024},
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
