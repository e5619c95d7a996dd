// Every differentiable operation, one line each. The formulas are beside the code, in core/ops/.
//
// A fused operation computes in one pass over memory what several operations would. Its plain composition, which says what it
// means, has the same name with _composed: the oracle of the tests, and the place to begin reading.
//
// Shapes: B batch, T tokens, C channels, N rows out, K columns in. Broadcasting follows NumPy. Dimensions may be negative.
// Invariants
//   1. An operation checks its arguments before it computes and names itself and the shapes in an error.
//   2. Results are new, contiguous tensors; operations never change their inputs.
//   3. A fused operation equals its composition up to rounding, forward and backward.
// Thread rule: call from one thread; the kernels use all cores themselves.
#pragma once

#include <span>
#include <vector>

#include "core/autograd.h"
#include "core/kernels/head_layout.h"
#include "core/tensor.h"

namespace hv {

// --- elementwise (core/ops/elementwise.cpp) ---------------------------------------------------------------------------------
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);                         // at a tie each side gets half of the gradient
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);  // nonzero is true; the condition gets no gradient
Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor pow(const Tensor& x, double exponent);
Tensor abs(const Tensor& x);  // derivative 0 at 0
Tensor tanh(const Tensor& x);
Tensor relu(const Tensor& x);  // derivative 0 at 0
Tensor sigmoid(const Tensor& x);
Tensor gelu(const Tensor& x);  // exact: x * Phi(x), Phi through erfc

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, Tensor::scalar(b)); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, Tensor::scalar(b)); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, Tensor::scalar(b)); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, Tensor::scalar(b)); }
inline Tensor operator+(double a, const Tensor& b) { return add(Tensor::scalar(a), b); }
inline Tensor operator-(double a, const Tensor& b) { return sub(Tensor::scalar(a), b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(Tensor::scalar(a), b); }
inline Tensor operator/(double a, const Tensor& b) { return div(Tensor::scalar(a), b); }

// --- reductions (core/ops/reduce.cpp); dims empty means all -----------------------------------------------------------------
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keep = false);
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keep = false);
Tensor max(const Tensor& x, const Dims& dims = {}, bool keep = false);  // ties share the gradient equally
std::vector<int64_t> argmax(const Tensor& x, int64_t dim = -1);  // row-major over the other dimensions; the first of equals

// --- products (core/ops/matmul.cpp, core/ops/linear.cpp) --------------------------------------------------------------------
Tensor matmul(const Tensor& a, const Tensor& b);  // [.., M, K] x [.., K, N]; leading dimensions broadcast
// x weight^T + bias + residual: x [.., K], weight [N, K], bias [N] or undefined, residual [.., N] or undefined.
// weight and bias may be views of parameters: the gradient is written straight into the rectangle.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Tensor& residual = {});
// linear(gelu(x), ...): the second layer of an MLP. Only x is kept for backward, which recomputes gelu(x).
Tensor gelu_linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Tensor& residual = {});
// linear(layer_norm(x, gain, shift, eps), weight, bias): the first layer of attention and of an MLP. Only x is kept likewise.
Tensor norm_linear(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps, const Tensor& weight,
                   const Tensor& bias = {});
// The compositions take x of at least two dimensions.
Tensor linear_composed(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Tensor& residual = {});
Tensor gelu_linear_composed(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Tensor& residual = {});
Tensor norm_linear_composed(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps, const Tensor& weight,
                            const Tensor& bias = {});

// --- normalisation and attention (core/ops/softmax.cpp, core/ops/layer_norm.cpp, core/ops/attention.cpp) --------------------
Tensor softmax(const Tensor& x, int64_t dim = -1);
Tensor log_softmax(const Tensor& x, int64_t dim = -1);
Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps = 1e-6);  // over the last dimension
Tensor layer_norm_composed(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps = 1e-6);
// Over the channels of each pixel of x [N, C, H, W] (core/ops/channel_norm.cpp).
Tensor channel_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps = 1e-6);
Tensor channel_norm_composed(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps = 1e-6);
// qkv [B, T, heads * 3 * head_dim] -> [B, T, heads * head_dim]. The layout is the head_dim of stacked heads, packed (head,
// {q, k, v}, head_dim), or says more (core/kernels/head_layout.h).
// softmax(q k^T / sqrt(head_dim)) v per image and head; backward recomputes the probabilities.
Tensor attention(const Tensor& qkv, const HeadLayout& layout);
Tensor attention_composed(const Tensor& qkv, const HeadLayout& layout);
Tensor attention_probabilities(const Tensor& qkv, const HeadLayout& layout);  // [B, heads, T, T], without gradient: to be shown
// What the first token (CLS) draws from each token: the mean over heads of its row of probabilities, [B, T], without gradient.
// It costs 1 / T of the scores, and stores nothing of size T x T.
Tensor cls_attention(const Tensor& qkv, const HeadLayout& layout);

// --- moving data (core/ops/shape_ops.cpp) -----------------------------------------------------------------------------------
Tensor cat(const std::vector<Tensor>& parts, int64_t dim);
Tensor stack(const std::vector<Tensor>& parts, int64_t dim);                          // cat along a new dimension
Tensor index_select(const Tensor& x, int64_t dim, std::span<const int64_t> indices);  // repeats allowed: their gradients add
Tensor gather_rows(const Tensor& x, std::span<const int64_t> columns);                // x [M, N], one column per row -> [M]
Tensor patchify(const Tensor& images,
                int64_t patch);  // [B, C, H, W] -> [B, (H/P)(W/P), C*P*P], channel-major as a convolution's kernel
// patches [B, N, p], cls [p] or S such tokens [S, p], positions [N + S, p] -> tokens [B, N + S, p]: these first, positions
// added (core/ops/tokens.cpp).
Tensor embed_tokens(const Tensor& patches, const Tensor& cls, const Tensor& positions);
Tensor embed_tokens_composed(const Tensor& patches, const Tensor& cls, const Tensor& positions);
// The k largest of scores [B, T] per image, largest first; of equals the lower index first. NaN counts as the largest, as in
// argmax: a token with a bad number is not dropped unseen. Row-major [B, k]; no gradient.
std::vector<int64_t> top_tokens(const Tensor& scores, int64_t k);
// x [B, T, p] and k tokens per image, index [B, k] row-major -> [B, k, p], in this order. Repeats allowed: their gradients add.
Tensor gather_tokens(const Tensor& x, std::span<const int64_t> index, int64_t k);

// --- images (core/ops/resize.cpp) -------------------------------------------------------------------------------------------
// [B, C, H, W] -> [B, C, height, width], bilinear, as PyTorch's interpolate without antialias, in both of its conventions.
// A table of positions [1, S, S, p] goes in as its view .permute({0, 3, 1, 2}), which is read in place.
Tensor resize_bilinear(const Tensor& images, int64_t height, int64_t width, bool align_corners);

// --- convolution (core/ops/conv.cpp) ----------------------------------------------------------------------------------------
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride = 1,
              int64_t padding = 0);  // weight [O, C, kh, kw]
Tensor max_pool2d(const Tensor& x, int64_t kernel, int64_t stride, int64_t padding = 0);
Tensor avg_pool2d(const Tensor& x, int64_t kernel, int64_t stride);

// --- training-time noise (core/ops/dropout.cpp) -----------------------------------------------------------------------------
// Sets elements to zero with probability p and scales the rest by 1/(1-p). The key alone decides which ones.
struct NoiseKey {
  uint64_t seed = 0, step = 0, index = 0;
};
Tensor dropout(const Tensor& x, double p, NoiseKey key);
Tensor drop_path(const Tensor& x, double p, NoiseKey key);  // the same for whole samples (dimension 0): stochastic depth

// --- losses (core/ops/loss.cpp), each the mean over the batch ---------------------------------------------------------------
// logits [B, K]; class indices, or soft targets [B, K] without gradient. Label smoothing e: target (1 - e) * t + e / K.
Tensor cross_entropy(const Tensor& logits, std::span<const int64_t> labels, double smoothing = 0);
Tensor cross_entropy(const Tensor& logits, const Tensor& targets, double smoothing = 0);
Tensor cross_entropy_composed(const Tensor& logits, const Tensor& targets, double smoothing = 0);  // for finite logits
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets);                               // mean over all elements

// Losses of labels that do not exclude each other (core/ops/label_loss.cpp): the mean over all elements of logits [.., K] and
// targets of the same shape, which are 0 or 1 and get no gradient. A weight is a number per label [K], or one for all; an
// undefined one is 1. `positive` is that of a target 1 (PyTorch's pos_weight), `negative` that of a target 0.
struct LabelWeights {
  Tensor positive, negative;
};
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const LabelWeights& weights);
// Binary cross-entropy times (1 - p_t)^gamma, where p_t is the probability of what is true. Gamma 0 is bce_with_logits.
Tensor focal_loss(const Tensor& logits, const Tensor& targets, double gamma, const LabelWeights& weights = {});
Tensor focal_loss_composed(const Tensor& logits, const Tensor& targets, double gamma,
                           const LabelWeights& weights = {});  // for |logits| < 80

}  // namespace hv
