#include "train/exchange/timm_layout.h"

#include <algorithm>

#include "nn/part.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/state/run_folder.h"

namespace hv::train {

std::vector<TimmShape> timm_shapes(const models::HydraViTConfig& c) {
  const int64_t e = c.width(), hidden = c.mlp_ratio * e;
  std::vector<TimmShape> all = {{"cls_token", {1, 1, e}}, {"pos_embed", {1, c.tokens(), e}}};
  const auto add = [&](const std::string& name, const Shape& weight) {
    all.push_back({name + ".weight", weight});
    all.push_back({name + ".bias", {weight[0]}});
  };
  add("patch_embed.proj", {e, c.channels, c.patch, c.patch});
  for (int64_t i = 0; i < c.depth; ++i) {
    const std::string block = concat("blocks.", i, '.');
    add(block + "norm1", {e});
    add(block + "attn.qkv", {3 * e, e});
    add(block + "attn.proj", {e, e});
    add(block + "norm2", {e});
    add(block + "mlp.fc1", {hidden, e});
    add(block + "mlp.fc2", {e, hidden});
  }
  add("norm", {e});
  add("head", {c.classes, e});
  return all;
}

Tensor timm_view(const Tensor& ours, const TimmShape& timm, int64_t head_dim) {
  HV_CHECK(ours.rank() == timm.shape.size(), "timm: ", timm.name, " is ", timm.shape, " there and ", ours.shape(), " here");
  Tensor view = ours;
  for (int d = 0; d < view.rank(); ++d) view = nn::part(view, d, timm.shape[d]);
  if (timm.name.find(".attn.qkv.") == std::string::npos) return view;
  // [3p, p] as [head, {q, k, v}, head_dim, p] -> [{q, k, v}, head, head_dim, p]; the bias without the last
  const int64_t heads = timm.shape[0] / (3 * head_dim);
  return view.rank() == 2 ? view.view({heads, 3, head_dim, timm.shape[1]}).permute({1, 0, 2, 3})
                          : view.view({heads, 3, head_dim}).permute({1, 0, 2});
}

const TimmTensor& TimmModel::tensor(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TimmTensor& t) { return t.name == name; });
  HV_CHECK(found != tensors.end(), "timm: no tensor ", name);
  return *found;
}

std::string widths_text(const models::HydraViTConfig& c) {
  return c.heads_min == c.heads ? concat(c.heads, c.heads == 1 ? " head" : " heads")
                                : concat(c.heads_min, " to ", c.heads, " heads");
}

TimmSource::TimmSource(const std::string& run_or_file, bool ema)
    : prefix_(ema ? "ema." : "model."),
      checkpoint_(load_run(run_or_file, say, [&](const std::string& name) { return name.rfind(prefix_, 0) == 0; })) {
  const Header& header = checkpoint_.header;
  const std::string& path = checkpoint_.path;
  HV_CHECK_USAGE(!ema || !checkpoint_.tensors.empty(), path, ": has no averaged weights; leave out --ema");
  const auto kind = header.model.find("model");
  HV_CHECK_USAGE(kind == header.model.end() || kind->second == "hydravit", path, ": a model of kind ", kind->second,
                 "; only a hydravit is a vision transformer");
  models::HydraViTConfig& c = whole_.config;
  try {
    c = models::from_config(header.model);
  } catch (const Error& error) {
    fail(Fault::input, path, ": describes no model this program can build: ", error.what());
  }
  HV_CHECK_INPUT(static_cast<int64_t>(header.class_names.size()) == c.classes, path, ": names ", header.class_names.size(),
                 " classes, its model has ", c.classes);
  for (const std::string& name : header.class_names) whole_.class_names.push_back(valid_utf8(name));
  whole_.mean = header.mean;
  whole_.std = header.std;
  for (const TimmShape& full : timm_shapes(c)) {
    const Tensor& value = checkpoint_.tensor(prefix_ + full.name);
    HV_CHECK_INPUT(value.shape() == full.shape, path, ": tensor ", prefix_, full.name, " is ", value.shape(),
                   ", its model wants ", full.shape);
  }
}

TimmModel TimmSource::width(int64_t heads) const {
  TimmModel model = whole_;
  models::HydraViTConfig& c = model.config;
  if (heads > 0) {
    HV_CHECK_USAGE(heads >= c.heads_min && heads <= c.heads, "--heads: ", heads, " is outside the model; it runs with ",
                   c.heads_min, " to ", c.heads, " heads");
    c.heads = c.heads_min = heads;
  }
  for (const TimmShape& timm : timm_shapes(c)) {
    model.tensors.push_back({timm.name, timm.shape, timm_view(checkpoint_.tensor(prefix_ + timm.name), timm, c.head_dim)});
  }
  return model;
}

TimmModel load_timm(const std::string& run_or_file, int64_t heads, bool ema) {
  return TimmSource(run_or_file, ema).width(heads);
}

bool put_timm(const TimmModel& from, const std::string& path, const models::HydraViTConfig& to,
              const std::vector<NamedTensor>& ours) {
  const NoGrad off;
  models::HydraViTConfig part = to;  // of the model, what `from` should be
  part.heads = from.config.heads;
  part.classes = from.config.classes;
  HV_CHECK_INPUT(from.config.head_dim == to.head_dim && part.heads <= to.heads, path, ": ", from.config.heads, " heads of ",
                 from.config.head_dim, ", the model has ", to.heads, " of ", to.head_dim, "; choose a model at least as wide");
  HV_CHECK_INPUT(from.config.depth == to.depth, path, ": ", from.config.depth, " blocks, the model has ", to.depth);
  const std::vector<TimmShape> shapes = timm_shapes(part);
  for (const TimmShape& timm : shapes) {  // all checks before the first change
    const Shape& found = from.tensor(timm.name).shape;
    HV_CHECK_INPUT(found == timm.shape, path, ": tensor ", timm.name, " is ", found, ", the model wants ", timm.shape);
  }
  const bool same_classes = part.classes == to.classes;
  for (const TimmShape& timm : shapes) {
    if (!same_classes && timm.name.rfind("head.", 0) == 0) continue;
    const auto target = std::find_if(ours.begin(), ours.end(), [&](const NamedTensor& t) { return t.name == timm.name; });
    HV_CHECK(target != ours.end(), "timm: the model has no parameter ", timm.name);
    const Tensor view = timm_view(target->value, timm, to.head_dim);
    view.copy_(from.tensor(timm.name).packed().view(view.shape()));
  }
  return same_classes;
}

}  // namespace hv::train
