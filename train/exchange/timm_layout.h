// A subnetwork as timm's VisionTransformer, without a copy. Every format of other programs is written from it and read into it.
//
// The names of our parameters are timm's, and so are all layouts but one, the qkv rows. Ours are packed (head, {q, k, v},
// head_dim), timm's are three blocks [q; k; v]. One permuted view expresses the difference for both directions: export reads
// through it, import writes through it.
//
// Invariants
//   1. timm_shapes(config) are the names and shapes of the plain vision transformer of config.heads heads, in the model's
//      order.
//   2. TimmTensor::value shows, in row-major order, the tensor's numel(shape) numbers. It is strided, and for qkv it has
//      another rank.
//   3. The part of a parameter that a narrower model uses is its leading rectangle: width k of a model is the stand-alone
//      transformer of k heads.
// Thread rule: plain data.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "models/hydravit.h"
#include "train/state/checkpoint.h"

namespace hv::train {

struct TimmShape {
  std::string name;  // "blocks.0.attn.qkv.weight"
  Shape shape;       // [3p, p]
};
std::vector<TimmShape> timm_shapes(const models::HydraViTConfig& config);

// The part of `ours`, a parameter of the same name in a model as wide or wider, that is the timm tensor.
Tensor timm_view(const Tensor& ours, const TimmShape& timm, int64_t head_dim);

struct TimmTensor {
  std::string name;
  Shape shape;
  Tensor value;
  // The numbers as float32, row-major and contiguous: the view itself if it is already so, else a copy.
  Tensor packed() const { return value.contiguous().view(shape); }
};

struct TimmModel {
  models::HydraViTConfig config;  // of what is exported: config.heads is its width, heads_min its narrowest subnetwork
  std::vector<TimmTensor> tensors;
  std::vector<std::string> class_names;
  std::array<double, 3> mean{}, std{};  // pixels enter as (x / 255 - mean) / std
  std::string guess;                    // a sentence: as what head_dim was taken if the file does not say it; else ""
  const TimmTensor& tensor(const std::string& name) const;
};
std::string widths_text(const models::HydraViTConfig& config);  // "3 heads", "3 to 8 heads"

// The weights of a checkpoint (file or run folder), read once. No model is built and no random number is drawn, so the memory
// used is that of the weights.
class TimmSource {
 public:
  TimmSource(const std::string& run_or_file, bool ema);
  const Header& header() const { return checkpoint_.header; }
  const models::HydraViTConfig& config() const { return whole_.config; }
  // The stand-alone subnetwork of `heads` heads, or with 0 the whole nested model, without a copy.
  TimmModel width(int64_t heads) const;

 private:
  std::string prefix_;
  Checkpoint checkpoint_;
  TimmModel whole_;  // without its tensors
};
TimmModel load_timm(const std::string& run_or_file, int64_t heads, bool ema);

// Writes `from` into the leading rectangle of `ours`, the parameters of a model of configuration `to`, by name. What does not
// fit (a wider model, another depth, ...) is an error (Fault::input) that begins with `path`. If the numbers of classes differ,
// `ours` keeps its own classifier, and the answer is false.
bool put_timm(const TimmModel& from, const std::string& path, const models::HydraViTConfig& to,
              const std::vector<NamedTensor>& ours);

}  // namespace hv::train
