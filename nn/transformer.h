// The parts of a vision transformer: attention, MLP, block, patch embedding.
//
// Letters: B images, T tokens, p the width at hand, E the full width.
// Invariants and thread rule: as nn/layers.h. All layers of a block are elastic, or none is.
#pragma once

#include <functional>

#include "nn/layers.h"

namespace hv::nn {

// Which tokens a block goes on with after attention, where no token sees another any more. A classifier reads only the CLS
// token of its last block, so first_token there saves five eighths of the products of that block (at MLP ratio 2).
using Keep = std::function<Tensor(const Tensor& tokens)>;
inline Tensor all_tokens(const Tensor& x) { return x; }
inline Tensor first_token(const Tensor& x) { return x.select(1, 0); }  // [B, T, p] -> [B, p]

// How the heads follow the width: stacked heads of one size (HydraViT), or so many heads at every width, which shrink (Scala).
struct Heads {
  int64_t size = 0;       // of stacked heads
  int64_t count = 0;      // of shrinking heads
  double multiplier = 0;  // of scores; 0: 1 / sqrt of a head's size
  HeadLayout at(int64_t width) const {
    return count > 0 ? HeadLayout(width / count, false, multiplier) : HeadLayout(size, true, multiplier);
  }
};

// proj(attention(qkv(x))). The rows of qkv are packed (head, {q, k, v}, size) for stacked heads, so the first k heads are a
// prefix of them; ({q, k, v}, head, size) for others.
class MultiHeadAttention : public Module {
 public:
  MultiHeadAttention(int64_t width, const Heads& heads, double dropout, Init& init, Elastic elastic = Elastic::none);
  Lazy operator()(const Lazy& x, const Keep& keep = all_tokens) const {
    return mix(qkv(x), keep);
  }                                           // [B, T, p] -> keep([B, T, p])
  Tensor probabilities(const Lazy& x) const;  // [B, heads, T, T], without a gradient: for display

  // The two halves of operator(), for a block that chooses tokens by what is between them.
  Tensor qkv(const Lazy& x) const { return qkv_(x); }   // [B, T, p] -> [B, T, 3p]
  Lazy mix(const Tensor& qkv, const Keep& keep) const;  // [B, T, 3p] -> keep([B, T, p])
  Tensor cls_row(const Tensor& qkv) const { return cls_attention(qkv, heads_.at(qkv.size(2) / 3)); }  // [B, T]

 private:
  Heads heads_;
  Linear qkv_, proj_;
  Dropout drop_;
};

// fc2(gelu(fc1(x)))
class Mlp : public Module {
 public:
  Mlp(int64_t width, int64_t hidden, double dropout, Init& init, Elastic elastic = Elastic::none);
  Lazy operator()(const Lazy& x) const;

 private:
  Linear fc1_, fc2_;
  Dropout drop_;
};

struct BlockConfig {
  int64_t width = 0;
  Heads heads{};
  int64_t hidden = 0;  // of the MLP
  double dropout = 0, drop_path = 0;
  double layer_scale = 0;  // 0: none
  double eps = 1e-6;       // of LayerNorm
  Elastic elastic = Elastic::none;
};

// Pre-norm: y = x + attn(norm1(x)), then y + mlp(norm2(y)).
class Block : public Module {
 public:
  Block(const BlockConfig& config, Init& init);
  Tensor forward(const Tensor& x, const Keep& keep = all_tokens) const;  // [B, T, p] -> keep([B, T, p])
  // Token pruning (Lin et al., "Super Vision Transformer", IJCV 2023, section 3.2): the first S tokens go on, and those
  // `others` to which CLS attends most in this block, in descending order. `picked`, if not null, becomes the places of these
  // S + others in x, [B, S + others] row-major. The choice has no gradient.
  Tensor prune(const Tensor& x, int64_t first, int64_t others, std::vector<int64_t>* picked = nullptr) const;
  Tensor attention(const Tensor& x) const { return attn_.probabilities(norm1_(x)); }  // [B, heads, T, T], without a gradient

 private:
  Tensor from_qkv(const Tensor& x, const Tensor& qkv, const Keep& keep) const;
  LayerNorm norm1_;
  MultiHeadAttention attn_;
  LayerNorm norm2_;
  Mlp mlp_;
  LayerScale scale1_, scale2_;
  DropPath drop_path_;
};

// One convolution of a stem: 3 x 3, stride 2, then a norm over its channels and GELU.
struct StemConv {
  int64_t in = 0, out = 0;  // channels
};
// Convolutions that halve the image until a patch has 2 x 2 of its pixels; their channels double up to `channels` (cf. Xiao et
// al., "Early Convolutions Help Transformers See Better", NeurIPS 2021, with batch norm; a norm over the channels of each pixel
// needs no other image; without any, these convolutions learnt far slower than plain patches). Empty if `channels` is 0. The
// patch is a power of two of at least 4.
std::vector<StemConv> stem_convs(int64_t image_channels, int64_t patch, int64_t channels);

// Images to tokens: a convolution whose stride is its kernel, as one product on unfolded patches; proj.weight [E, C, P, P] as
// in timm. The width is an argument, because images carry none. A stem, if there is one, is the same at every width.
class PatchEmbed : public Module {
 public:
  PatchEmbed(int64_t channels, int64_t patch, int64_t width, Init& init, int64_t stem_channels = 0);
  Tensor operator()(const Tensor& images, int64_t width) const;  // [B, C, H, W] -> [B, N, width]

 private:
  struct Stage {
    Parameter kernel, gain, shift;
  };
  std::vector<Stage> stem_;
  int64_t patch_;  // of what comes out of the stem
  Parameter weight_, bias_;
};

}  // namespace hv::nn
