#include "train/exchange/timm_safetensors.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "data/files.h"
#include "models/kinds.h"
#include "train/exchange/layers.h"
#include "train/files/file.h"
#include "train/io/numbers.h"
#include "train/io/printable.h"

namespace hv::train {
namespace {

// --- what the metadata say --------------------------------------------------------------------------------------------------

std::array<double, 3> triple(const std::string& path, const Metadata& metadata, const char* key, double least) {
  std::array<double, 3> values{};
  const auto found = metadata.find(key);
  std::istringstream in(found == metadata.end() ? "" : found->second);
  bool good = true;
  for (double& value : values) {
    std::string word;
    in >> word;
    good = good && parse_number(word, value) && std::isfinite(value) && value > least;
  }
  HV_CHECK_INPUT(good, path, ": metadata: ", key, ": expected three numbers, found '", printable(in.str().substr(0, 64)), "'");
  return values;
}

// One name per line. The lines are counted before they are kept: a header may hold a hundred million of them.
std::vector<std::string> class_names(const std::string& path, const Metadata& metadata, int64_t classes) {
  const auto found = metadata.find("class_names");
  const std::string text = found == metadata.end() ? "" : found->second;
  const int64_t count = std::count(text.begin(), text.end(), '\n') + (text.empty() || text.ends_with('\n') ? 0 : 1);
  HV_CHECK_INPUT(count == classes, path, ": metadata: class_names has ", count, " lines, the model has ", classes, " classes");
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    all.push_back(printable(line));
    data::check_class_name(all.back(), path + ": metadata");
  }
  return all;
}

Metadata metadata_of(const TimmModel& model) {
  Metadata metadata = model.config;
  metadata["format"] = "pt";  // what several loaders ask for: the tensors are laid out as PyTorch's
  std::string& names = metadata["class_names"];
  for (const std::string& name : model.class_names) names += name + "\n";
  metadata["mean"] = triple_text(model.mean);
  metadata["std"] = triple_text(model.std);
  return metadata;
}

models::Config config_in(const Metadata& metadata) {
  models::Config config;
  if (models::kind_of(metadata).layers) {  // written here alone, so every entry is the model's but those of metadata_of()
    config = metadata;
    for (const char* other : {"format", "class_names", "mean", "std", kSafetensorsChecksum}) config.erase(other);
    return config;
  }
  for (const std::string& key : models::entries_of(metadata.at("model"))) {
    if (const auto found = metadata.find(key); found != metadata.end()) config[key] = found->second;
  }
  HV_CHECK_INPUT(models::plain_vit(config), "describes a model that is no plain vision transformer");
  return config;
}

// --- what the tensors say ---------------------------------------------------------------------------------------------------

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < 8; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 8 ? concat(text, " and ", names.size() - 8, " more") : text;
}

using Shapes = std::map<std::string, Shape>;

int64_t count_blocks(const Shapes& shapes) {
  int64_t count = 0;
  for (const auto& [name, shape] : shapes) {
    const std::vector<std::string> parts = split(name, '.');  // "blocks", "0", "mlp", ...
    int64_t block = 0;
    const bool numbered = parts[0] == "blocks" && parts.size() > 1 && parse_number(parts[1], block);
    if (numbered && block >= 0 && block < 256) count = std::max(count, block + 1);
  }
  return count;
}

// ViT and DeiT have heads of 64, and 3, 6, 12 or 16 of them. A single one, or a rest, means that the heads are others: a width
// of 64 is rather four heads of 16.
constexpr int64_t kGuess = 64;
bool published(int64_t heads) { return heads == 3 || heads == 6 || heads == 12 || heads == 16; }

int64_t guessed_head_dim(const std::string& path, int64_t width) {
  HV_CHECK_INPUT(width % kGuess == 0 && width > kGuess, path, ": does not say how wide a head is, and heads of ", kGuess,
                 ", as ViT and DeiT have, are unlikely: ", width == kGuess ? "a single one" : "no whole number",
                 " in its width ", width, "; import it with --head-dim");
  return kGuess;
}

models::Config config_in(const std::string& path, const Shapes& shapes, const FileHints& hints) {
  int64_t head_dim = hints.head_dim;
  const std::pair<const char*, int> telling[] = {
      {"cls_token", 3}, {"pos_embed", 3}, {"patch_embed.proj.weight", 4}, {"blocks.0.mlp.fc1.weight", 2}, {"head.weight", 2}};
  std::vector<std::string> missing;
  for (const auto& [name, rank] : telling) {
    const auto found = shapes.find(name);
    if (found == shapes.end()) {
      missing.push_back(name);
      continue;
    }
    bool good = found->second.size() == rank;
    for (const int64_t d : found->second) good = good && d > 0 && d < int64_t{1} << 31;
    HV_CHECK_INPUT(good, path, ": tensor ", name, " is ", found->second, ", expected ", rank, " dimensions");
  }
  HV_CHECK_INPUT(missing.empty(), path, ": not a vision transformer in timm's layout: it lacks ", list(missing));

  models::PlainVit vit;
  for (const char* name : {"dist_token", "head_dist.weight", "head_dist.bias"}) vit.distilled |= shapes.count(name) > 0;
  const Shape &patches = shapes.at("patch_embed.proj.weight"), &fc1 = shapes.at("blocks.0.mlp.fc1.weight");
  const int64_t width = shapes.at("cls_token")[2], positions = shapes.at("pos_embed")[1] - vit.first_tokens();
  const int64_t side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(positions))));
  HV_CHECK_INPUT(side > 0 && side * side == positions, path, ": tensor pos_embed is ", shapes.at("pos_embed"),
                 vit.distilled ? ": expected one position for CLS, one for DIST and a square of patches"
                               : ": expected one position for CLS and a square of patches");
  HV_CHECK_INPUT(fc1[0] % width == 0, path, ": tensor blocks.0.mlp.fc1.weight is ", fc1, ": ", fc1[0],
                 " is no multiple of the width ", width);
  if (head_dim == 0) head_dim = guessed_head_dim(path, width);
  HV_CHECK_INPUT(width % head_dim == 0, path, ": its width ", width, " does not divide into heads of ", head_dim,
                 "; say how wide a head is with --head-dim");
  vit.image = side * patches[2];
  vit.patch = patches[2];
  vit.channels = patches[1];
  vit.depth = count_blocks(shapes);
  vit.width = width;
  vit.heads = width / head_dim;
  vit.scale_dim = head_dim;
  if (hints.eps > 0) vit.eps = hints.eps;
  vit.mlp_ratio = fc1[0] / width;
  vit.classes = shapes.at("head.weight")[0];
  return models::model_that_is(vit);
}

void compare(const std::string& path, Shapes found, const TimmModel& model) {
  std::vector<std::string> missing, extra;
  for (const auto& [name, shape] : shapes_of(model)) {
    const auto it = found.find(name);
    if (it == found.end()) {
      missing.push_back(name);
      continue;
    }
    HV_CHECK_INPUT(it->second == shape, path, ": tensor ", name, " is ", it->second, ", expected ", shape);
    found.erase(it);
  }
  for (const auto& [name, shape] : found) extra.push_back(name);
  HV_CHECK_INPUT(missing.empty() && extra.empty(), path,
                 model.layers          ? ": not the vision transformer that its metadata describe:"
                 : model.vit.distilled ? ": not the distilled vision transformer:"
                                       : ": not the plain vision transformer:",
                 missing.empty() ? "" : " it lacks ", list(missing), missing.empty() || extra.empty() ? "" : ";",
                 extra.empty() ? "" : " it has more: ", list(extra));
}

}  // namespace

std::string triple_text(const std::array<double, 3>& values) {
  std::string text;
  for (const double value : values) text += (text.empty() ? "" : " ") + number_text(value);
  return text;
}

void write_timm_safetensors(const std::string& path, const TimmModel& model) {
  std::vector<TensorToWrite> tensors;
  for (const TimmTensor& tensor : model.tensors) {
    tensors.push_back({tensor.name, "F32", tensor.shape, [&tensor](const Put& put) {
                         const Tensor packed = tensor.packed();  // one tensor at a time
                         put(packed.data(), sizeof(float) * static_cast<size_t>(packed.numel()));
                       }});
  }
  write_safetensors(path, metadata_of(model), std::move(tensors));
}

bool describes_itself(const SafetensorsHeader& header) {
  const auto found = header.metadata.find("model");
  if (found == header.metadata.end()) return false;
  for (const models::Kind& kind : models::kinds()) {
    if (kind.name == found->second) return (kind.plain && kind.alone) || kind.layers;
  }
  return false;
}

TimmModel describe_timm(const std::string& path, const SafetensorsHeader& header, const FileHints& hints) {
  TimmModel model;
  Shapes shapes;
  for (const StoredTensor& tensor : header.tensors) shapes[tensor.name] = tensor.shape;
  const bool known = describes_itself(header);
  try {
    model.config = known ? config_in(header.metadata) : config_in(path, shapes, hints);
    if (!describe_layers(model)) model.vit = *models::plain_vit(model.config);  // with all checks
  } catch (const Error& error) {
    const std::string text = error.what();
    fail(Fault::input, text.rfind(path, 0) == 0 ? text : concat(path, ": metadata: ", printable(text.substr(0, 500))));
  }
  const models::PlainVit& vit = model.vit;
  compare(path, shapes, model);
  if (known) {
    model.mean = triple(path, header.metadata, "mean", -1e9);
    model.std = triple(path, header.metadata, "std", 0);
    model.class_names = class_names(path, header.metadata, vit.classes);
  } else {
    model.mean = {0.485, 0.456, 0.406};
    model.std = {0.229, 0.224, 0.225};
    for (int64_t i = 0; i < vit.classes; ++i) model.class_names.push_back(std::to_string(i));
    model.guess = concat("the file does not say how wide a head is: its width ", vit.width, " is taken as ",
                         widths_text(model.config, true));
    if (hints.head_dim == 0)
      model.guess += published(vit.heads) ? ", as ViT and DeiT have" : ", although ViT and DeiT have 3, 6, 12 or 16";
  }
  return model;
}

int64_t width_in(const std::string& path) {
  for (const StoredTensor& tensor : read_safetensors_header(path).tensors) {
    if (tensor.name == "cls_token" && tensor.shape.size() == 3) return tensor.shape[2];
  }
  return 0;
}

TimmModel read_timm_safetensors(const std::string& path, const FileHints& hints) {
  TimmModel model = describe_timm(path, read_safetensors_header(path), hints);
  std::map<std::string, Tensor> values;
  for (const NamedTensor& tensor : load_safetensors(path, [](const std::string&) { return true; }))
    values[tensor.name] = tensor.value;
  for (const auto& [name, shape] : shapes_of(model)) {
    const Tensor& value = values.at(name);
    for (int64_t i = 0; i < value.numel(); ++i) {
      HV_CHECK_INPUT(std::isfinite(value.data()[i]), path, ": tensor ", name, " holds ", value.data()[i], " at ", i,
                     "; weights must be finite");
    }
    model.tensors.push_back({name, shape, value});
  }
  return model;
}

bool is_safetensors(const std::string& path) {
  if (is_folder(path)) return false;
  char first[4] = {};
  InputFile file(path);
  file.read(first, std::min<size_t>(sizeof first, static_cast<size_t>(file.size())));
  const bool zipped = std::string(first, 4) == "PK\x03\x04", pickled = first[0] == '\x80' && first[1] >= 2 && first[1] <= 5;
  HV_CHECK_INPUT(
      !zipped && (!pickled || looks_like_safetensors(path)), path,
      ": a pickled file (PyTorch's .pth): unpickling can run code that the file holds, so it is not read. Convert it: "
      "python3 -c \"import sys, torch; from safetensors.torch import save_file; m = torch.load(sys.argv[1], "
      "map_location='cpu', weights_only=True); m = m.get('model', m.get('state_dict', m)); save_file({k: "
      "v.contiguous().clone() for k, v in m.items()}, sys.argv[2])\" IN.pth OUT.safetensors");
  return looks_like_safetensors(path) || path.ends_with(".safetensors");  // a damaged one gets its own error
}

}  // namespace hv::train
