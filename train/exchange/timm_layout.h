// A subnetwork as timm's VisionTransformer or VisionTransformerDistilled, without a copy. Every format of other programs is
// written from it and read into it. No kind of model is named here: models/plain_vit.h says what a part of one is.
//
// The names of our parameters are timm's, and so are all layouts but one, the qkv rows of stacked heads. These are packed
// (head, {q, k, v}, size), timm's are three blocks [q; k; v]. One permuted view expresses the difference for both directions:
// export reads through it, import writes through it.
//
// Invariants
//   1. timm_shapes(vit) are the names and shapes of the plain vision transformer, in the model's order. Separate classifiers
//      and tables of positions of a nested model have our names, because timm has no such thing; a subnetwork alone has its own
//      one, under timm's name, positions resized if the model has none of its size.
//   2. TimmTensor::value shows, in row-major order, the tensor's numel(shape) numbers. It is strided, and for qkv it may have
//      another rank.
//   3. A subnetwork alone is exported as what computes its logits in timm. There, scores are multiplied by 1 / sqrt(size of a
//      head). If the model multiplies them by 1 / sqrt(scale_dim), the rows of q are a copy, multiplied by
//      sqrt(size / scale_dim), and the scale_dim of the exported configuration is the size. So what is imported from the file
//      is exported as the same bytes. Placed in a wider model, q is multiplied by the inverse.
// Thread rule: plain data.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "models/layered_vit.h"
#include "train/state/checkpoint.h"

namespace hv::train {

struct TimmShape {
  std::string name;  // "blocks.0.attn.qkv.weight"
  Shape shape;       // [3p, p]
};
std::vector<TimmShape> timm_shapes(const models::PlainVit& vit);

// The part of `ours`, a parameter of the same name in a model as wide or wider, that is the timm tensor of `vit`.
Tensor timm_view(const Tensor& ours, const TimmShape& timm, const models::PlainVit& vit);

struct TimmTensor {
  std::string name;
  Shape shape;
  Tensor value;
  // The numbers as float32, row-major and contiguous: the view itself if it is already so, else a copy.
  Tensor packed() const { return value.contiguous().view(shape); }
};

struct TimmModel {
  models::Config config;  // of what is exported: one width, or the nested model
  models::PlainVit vit;   // its full width, which the tensors are
  // If blocks have sizes of their own, which timm has not: tensors are then laid out as here, `vit` is all but the blocks.
  std::optional<models::LayeredVit> layers;
  std::vector<TimmTensor> tensors;
  std::vector<std::string> class_names;
  std::array<double, 3> mean{}, std{};  // pixels enter as (x / 255 - mean) / std
  std::string guess;                    // a sentence: as what head_dim was taken if the file does not say it; else ""
  const TimmTensor& tensor(const std::string& name) const;
};
// The same as TimmTensor::packed, but of a qkv tensor q's rows are multiplied.
Tensor with_scaled_q(const TimmTensor& from, double factor);
bool is_positions(const std::string& name);  // a table of them

// "3 to 8 heads", by the first axis.
std::string first_axes(const std::vector<models::Subnet>& all);
// "3 heads", "3 to 8 heads", "0.25 to 1 ratio"; `detailed`: "3 heads of 16", "0.25 to 1 ratio of width 96". Of blocks with
// sizes of their own "0.5 to 0.8 budget, sizes by block".
std::string widths_text(const models::Config& config, bool detailed = false);
// "VisionTransformerDistilled(img_size=32, ...)": how timm makes what the tensors fit, or why it cannot. Empty if the defaults
// will do.
std::string timm_hint(const models::PlainVit& vit);
std::string timm_hint(const TimmModel& model);

// The size of the heads in the part of this width, if the model has one, else in the full model: what a file that does not say
// it has, if it is to fit.
int64_t head_size_at(const models::Config& model, int64_t width);

// How the classifiers of one model become those of another (put_timm), for people; "" if nothing is lost or repeated.
std::string classifiers_notice(const models::PlainVit& from, const models::PlainVit& to);
// The same of their positions: a table of the model that `from` lacks becomes its largest one, resized.
std::string positions_notice(const models::PlainVit& from, const models::PlainVit& to);

// Writes `from` into the part of that width of `ours`, the parameters of a model of configuration `to`, by name. What does not
// fit (a wider model, another depth, no positions of any size of the model, ...) is an error (Fault::input) that begins with
// `path`. If the numbers of classes differ, `ours` keeps its own classifiers, and the answer is false.
bool put_timm(const TimmModel& from, const std::string& path, const models::Config& to, const std::vector<NamedTensor>& ours);

}  // namespace hv::train
