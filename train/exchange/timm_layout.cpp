#include "train/exchange/timm_layout.h"

#include <algorithm>
#include <cmath>

#include "models/positions.h"
#include "nn/part.h"
#include "train/io/numbers.h"

namespace hv::train {
namespace {

using models::PlainVit;

bool is_qkv(const std::string& name) { return name.find(".attn.qkv.") != std::string::npos; }

bool is_classifier(const std::string& name) { return name.rfind("head", 0) == 0; }

struct Classifier {
  std::string name;
  int64_t width;
};
// Those of the CLS token or of the DIST token, narrowest first: "head" alone, or "heads.0", "heads.1", ...
std::vector<Classifier> classifiers_of(const PlainVit& vit, bool dist) {
  if (vit.separate.empty()) return {{dist ? "head_dist" : "head", vit.width}};
  std::vector<Classifier> all;
  for (const int64_t width : vit.separate) all.push_back({concat(dist ? "heads_dist." : "heads.", all.size()), width});
  return all;
}

// Each classifier of a model takes the one that serves its widest member there, or the widest; of two widths, the columns that
// both have, which are those of the narrower.
void put_classifiers(const TimmModel& from, const models::Config& to, bool dist,
                     const std::function<Tensor(const std::string&)>& ours) {
  const std::vector<Classifier> theirs = classifiers_of(from.vit, dist);
  for (const Classifier& own : classifiers_of(*models::plain_vit(to), dist)) {
    const auto wide = std::find_if(theirs.begin(), theirs.end(), [&](const Classifier& c) { return c.width >= own.width; });
    const Classifier& other = wide == theirs.end() ? theirs.back() : *wide;
    const int64_t both = std::min(own.width, other.width);
    const std::optional<PlainVit> narrower = models::plain_vit(to, both);
    const nn::TrailingParts side(narrower && narrower->trailing_ends);
    nn::part(ours(own.name + ".weight"), 1, both).copy_(nn::part(from.tensor(other.name + ".weight").packed(), 1, both));
    ours(own.name + ".bias").copy_(from.tensor(other.name + ".bias").packed());
  }
}

struct Table {
  std::string name;
  int64_t tokens;
  int64_t pixels;  // per side of the images that it is for
};
// Of positions, smallest size first: "pos_embed" alone, or "pos_embed_list.0", "pos_embed_list.1", ...
std::vector<Table> tables_of(const PlainVit& vit) {
  if (vit.tables.empty()) return {{"pos_embed", vit.tokens(), vit.image}};
  std::vector<Table> all;
  for (const int64_t tokens : vit.tables) {
    const double side = std::sqrt(static_cast<double>(tokens - vit.first_tokens()));
    all.push_back({concat("pos_embed_list.", all.size()), tokens, std::llround(side) * vit.patch});
  }
  return all;
}

bool has(const std::vector<Table>& all, int64_t tokens) {
  return std::any_of(all.begin(), all.end(), [&](const Table& t) { return t.tokens == tokens; });
}

// What a table of so many tokens is filled from: one of as many, else the largest.
const Table& source_of(int64_t tokens, const std::vector<Table>& theirs) {
  const auto same = std::find_if(theirs.begin(), theirs.end(), [&](const Table& t) { return t.tokens == tokens; });
  return same == theirs.end() ? theirs.back() : *same;
}

void check_positions(const PlainVit& from, const std::string& path, const PlainVit& whole, int64_t width) {
  const std::vector<Table> theirs = tables_of(from), own = tables_of(whole);
  std::string wanted;
  bool found = false;
  for (const Table& table : own) {
    wanted += concat(wanted.empty() ? "" : " or ", Shape{1, table.tokens, width});
    found = found || has(theirs, table.tokens);
  }
  HV_CHECK_INPUT(found, path, ": tensor ", theirs.back().name, " is ", Shape{1, theirs.back().tokens, width},
                 ", the model wants ", wanted);
}

}  // namespace

bool is_positions(const std::string& name) { return name.rfind("pos_embed", 0) == 0; }

std::string first_axes(const std::vector<models::Subnet>& all) {
  const models::Axis &first = all.front().axes.at(0), &last = all.back().axes.at(0);
  return concat(first.value, " to ", last.value, " ", first.name);
}

Tensor with_scaled_q(const TimmTensor& from, double factor) {
  if (factor == 1 || !is_qkv(from.name)) return from.packed();
  Tensor scaled = from.packed().clone();
  const int64_t count = scaled.numel() / 3;
  Real* const q = scaled.mutable_data();
  for (int64_t i = 0; i < count; ++i) q[i] = static_cast<Real>(q[i] * factor);
  return scaled;
}

std::vector<TimmShape> timm_shapes(const PlainVit& v) {
  const int64_t e = v.width, hidden = v.units();
  std::vector<TimmShape> all = {{"cls_token", {1, 1, e}}};
  if (v.distilled) all.push_back({"dist_token", {1, 1, e}});
  for (const Table& table : tables_of(v)) all.push_back({table.name, {1, table.tokens, e}});
  const auto add = [&](const std::string& name, const Shape& weight) {
    all.push_back({name + ".weight", weight});
    all.push_back({name + ".bias", {weight[0]}});
  };
  add("patch_embed.proj", {e, v.channels, v.patch, v.patch});
  for (int64_t i = 0; i < v.depth; ++i) {
    const std::string block = concat("blocks.", i, '.');
    add(block + "norm1", {e});
    add(block + "attn.qkv", {3 * e, e});
    add(block + "attn.proj", {e, e});
    add(block + "norm2", {e});
    add(block + "mlp.fc1", {hidden, e});
    add(block + "mlp.fc2", {e, hidden});
  }
  add("norm", {e});
  for (const bool dist : {false, true}) {
    if (dist && !v.distilled) continue;
    for (const Classifier& head : classifiers_of(v, dist)) add(head.name, {v.classes, head.width});
  }
  return all;
}

Tensor timm_view(const Tensor& ours, const TimmShape& timm, const PlainVit& vit) {
  HV_CHECK(ours.rank() == timm.shape.size(), "timm: ", timm.name, " is ", timm.shape, " there and ", ours.shape(), " here");
  const bool inner = timm.name.rfind("blocks.", 0) == 0 || timm.name.rfind("patch_embed.", 0) == 0;
  const nn::TrailingParts side(inner ? vit.trailing_blocks : vit.trailing_ends);
  Tensor view = ours;
  for (int d = 0; d < view.rank(); ++d) view = nn::part(view, d, timm.shape[d]);
  if (!vit.stacked || !is_qkv(timm.name)) return view;
  // [3p, p] as [head, {q, k, v}, size, p] -> [{q, k, v}, head, size, p]; the bias without the last
  return view.rank() == 2 ? view.view({vit.heads, 3, vit.head_size(), timm.shape[1]}).permute({1, 0, 2, 3})
                          : view.view({vit.heads, 3, vit.head_size()}).permute({1, 0, 2});
}

const TimmTensor& TimmModel::tensor(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TimmTensor& t) { return t.name == name; });
  HV_CHECK(found != tensors.end(), "timm: no tensor ", name);
  return *found;
}

std::string widths_text(const models::Config& config, bool detailed) {
  std::vector<models::Subnet> all;
  for (const models::Cost& cost : models::costs(config)) all.push_back(cost.subnet);
  const std::optional<PlainVit> plain = models::plain_vit(config);
  const bool one = all.size() == 1;
  if (!plain) return one ? "sizes by block" : first_axes(all) + ", sizes by block";
  const PlainVit& vit = *plain;
  const std::string text = one ? concat(vit.heads, vit.heads == 1 ? " head" : " heads") : first_axes(all);
  if (!detailed) return text;
  return one || vit.stacked ? concat(text, " of ", vit.head_size()) : concat(text, " of width ", vit.width);
}

std::string timm_hint(const TimmModel& model) {
  return model.layers ? "none, for its blocks differ, or their heads do not fill the width, or tokens leave; only this program "
                        "reads the file"
                      : timm_hint(model.vit);
}

std::string timm_hint(const PlainVit& v) {
  const bool other_eps = v.eps != 1e-6;  // timm's default
  if (!v.tables.empty() || !v.in_timm()) return "none, for it has no sizes of images and no rates of tokens";
  if (!v.distilled && !other_eps && v.hidden == 0) return "";
  // timm rounds ratio * width down, so a half more is on the safe side.
  const std::string ratio = v.hidden == 0 ? std::to_string(v.mlp_ratio)
                                          : number_text((static_cast<double>(v.hidden) + 0.5) / static_cast<double>(v.width));
  return concat(v.distilled ? "timm.models.deit.VisionTransformerDistilled" : "timm.models.VisionTransformer",
                "(img_size=", v.image, ", patch_size=", v.patch, ", in_chans=", v.channels, ", embed_dim=", v.width,
                ", depth=", v.depth, ", num_heads=", v.heads, ", mlp_ratio=", ratio, ", num_classes=", v.classes,
                other_eps ? concat(", norm_layer=partial(nn.LayerNorm, eps=", number_text(v.eps), ")") : "", ")");
}

int64_t head_size_at(const models::Config& model, int64_t width) {
  const std::optional<PlainVit> part = width > 0 ? models::plain_vit(model, width) : std::nullopt;
  return part ? part->head_size() : models::plain_vit(model)->head_size();
}

std::string classifiers_notice(const PlainVit& from, const PlainVit& to) {
  const size_t theirs = from.separate.size(), ours = to.separate.size();  // 0: one for all
  if (theirs == 0) return ours == 0 ? "" : concat("its classifier goes into each of the model's ", ours);
  if (from.separate == to.separate) return "";
  return concat("it has ", theirs, theirs == 1 ? " classifier; " : " classifiers; ",
                ours == 0 ? "the model's only one takes" : concat("each of the model's ", ours, " takes"),
                " that of its widest width");
}

std::string positions_notice(const PlainVit& from, const PlainVit& to) {
  const std::vector<Table> theirs = tables_of(from), ours = tables_of(to);
  std::string resized, left;
  for (const Table& t : ours) resized += has(theirs, t.tokens) ? "" : concat(resized.empty() ? "" : ", ", t.pixels);
  for (const Table& t : theirs) left += has(ours, t.tokens) ? "" : concat(left.empty() ? "" : ", ", t.pixels);
  std::string text;
  if (!left.empty()) text = concat("its positions for images of ", left, " pixels have no place in the model");
  if (resized.empty()) return text;
  return concat(text, text.empty() ? "" : "; ", "the positions for images of ", resized, " pixels are those for ",
                theirs.back().pixels, ", resized bilinearly with aligned corners");
}

bool put_timm(const TimmModel& from, const std::string& path, const models::Config& to, const std::vector<NamedTensor>& ours) {
  const NoGrad off;
  HV_CHECK_INPUT(!from.layers, path,
                 ": its blocks have sizes of their own, which fit into no other model; hydravit import "
                 "makes a checkpoint of it");
  const PlainVit &vit = from.vit, whole = *models::plain_vit(to);
  const std::optional<PlainVit> found = models::plain_vit(to, vit.width);
  const std::string sizes =
      concat(path, ": ", vit.heads, " heads of ", vit.head_size(), ", the model has ", whole.heads, " of ", whole.head_size());
  HV_CHECK_INPUT(found || vit.width >= whole.width || vit.heads != whole.heads, sizes, " and none of its widths is ",
                 vit.width);
  HV_CHECK_INPUT(found && found->heads == vit.heads, sizes, "; choose a model at least as wide");
  PlainVit part = *found;  // of the model, what `from` should be
  part.classes = vit.classes;
  HV_CHECK_INPUT(vit.depth == part.depth, path, ": ", vit.depth, " blocks, the model has ", part.depth);
  HV_CHECK_INPUT(vit.distilled == part.distilled, path, ": has ", vit.distilled ? "a" : "no", " DIST token, the model has ",
                 vit.distilled ? "none" : "one", "; choose a model as the file");
  std::vector<TimmShape> shapes = timm_shapes(part);
  // Positions may be resized, classifiers fit if the classes do.
  std::erase_if(shapes, [](const TimmShape& timm) { return is_classifier(timm.name) || is_positions(timm.name); });
  check_positions(vit, path, whole, part.width);
  for (const TimmShape& timm : shapes) {  // all checks before the first change
    const Shape& shape = from.tensor(timm.name).shape;
    HV_CHECK_INPUT(shape == timm.shape, path, ": tensor ", timm.name, " is ", shape, ", the model wants ", timm.shape);
  }
  const bool same_classes = part.classes == whole.classes;
  const double q_factor = std::sqrt(static_cast<double>(part.scale_dim) / static_cast<double>(vit.scale_dim));
  const auto target = [&](const std::string& name) {
    const auto found_one = std::find_if(ours.begin(), ours.end(), [&](const NamedTensor& t) { return t.name == name; });
    HV_CHECK(found_one != ours.end(), "timm: the model has no parameter ", name);
    return found_one->value;
  };
  for (const TimmShape& timm : shapes) {
    const Tensor view = timm_view(target(timm.name), timm, part);
    const Tensor value = with_scaled_q(from.tensor(timm.name), q_factor);
    view.copy_(value.view(view.shape()));
  }
  for (const Table& table : tables_of(whole)) {
    const Tensor value = from.tensor(source_of(table.tokens, tables_of(vit)).name).packed();
    const bool same = value.size(1) == table.tokens;
    timm_view(target(table.name), {table.name, {1, table.tokens, part.width}}, part)
        .copy_(same ? value : models::resize_positions(value, part.first_tokens(), table.tokens));
  }
  if (same_classes) put_classifiers(from, to, false, target);
  if (same_classes && part.distilled) put_classifiers(from, to, true, target);
  return same_classes;
}

}  // namespace hv::train
