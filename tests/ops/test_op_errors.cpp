// Errors of operations name the operation and the shapes; the rank is checked first.
#include <doctest/doctest.h>

#include <functional>

#include "tests/error_of.h"
#include "tests/ops/cases.h"

namespace hv::test {

TEST_CASE("errors name the operation and the shapes") {
  const auto t = [](const Shape& shape) { return Tensor::zeros(shape); };
  const std::vector<int64_t> none, two = {0, 2}, five = {5, 0}, below = {0, -1};
  const std::vector<std::pair<std::function<void()>, std::string>> cases = {
      {[&] {
         add(t({2, 3}), t({4}));
       },
       "add: shapes do not broadcast: [2, 3] and [4]"},
      {[&] {
         t({2, 3}) * t({4});
       },
       "mul: shapes do not broadcast: [2, 3] and [4]"},
      {[&] { where(t({2}), t({3}), t({3})); }, "where: shapes do not broadcast: [3] and [2]"},
      {[&] {
         sum(t({2, 3}), {2});
       },
       "sum: dimension out of range: 2 of a rank-2 tensor"},
      {[&] {
         mean(t({2, 3}), {1, -1});
       },
       "mean: dimension named twice: [1, -1]"},
      {[&] {
         hv::max(t({2, 0}), {1});
       },
       "max: nothing to choose from: [2, 0] over [1]"},
      {[&] {
         argmax(t({0, 2}), 0);
       },
       "argmax: nothing to choose from: [0, 2] over dimension 0"},
      {[&] {
         matmul(t({8, 64}), t({32, 10}));
       },
       "matmul: inner dimensions differ: [8, 64] x [32, 10]"},
      {[&] {
         matmul(t({3}), t({3, 1}));
       },
       "matmul: both operands need at least 2 dimensions: [3] x [3, 1]"},
      {[&] {
         matmul(t({2, 1, 3}), t({4, 3, 1}));
       },
       "matmul: shapes do not broadcast: [2] and [4]"},
      {[&] {
         linear(t({2, 3}), t({4, 5}));
       },
       "linear: inner dimensions differ: [2, 3] x [4, 5] transposed"},
      {[&] {
         linear(t({2, 3}), t({4, 3}), t({3}));
       },
       "linear: bias [3] for weight [4, 3]"},
      {[&] {
         gelu_linear(t({2, 3}), t({4, 3}), {}, t({2, 3}));
       },
       "gelu_linear: residual [2, 3] for a result [2, 4]"},
      {[&] {
         norm_linear(t({2, 3}), t({3}), t({2}), 1e-6, t({4, 3}));
       },
       "norm_linear: gain [3] and shift [2] for [2, 3]"},
      {[&] {
         embed_tokens(t({2, 3, 4}), t({4}), t({3, 4}));
       },
       "embed_tokens: patches [2, 3, 4] need cls [p] and positions [N + 1, p]: [4], [3, 4]"},
      {[&] {
         layer_norm(t({2, 3}), t({2}), t({2}));
       },
       "layer_norm: gain [2] and shift [2] for [2, 3]"},
      {[&] {
         channel_norm(t({2, 3, 4}), t({3}), t({3}));
       },
       "channel_norm: images must be [N, C, H, W]: [2, 3, 4]"},
      {[&] {
         channel_norm(t({2, 3, 4, 4}), t({4}), t({4}));
       },
       "channel_norm: gain [4] and shift [4] for [2, 3, 4, 4]"},
      {[&] {
         softmax(t({2, 3}), 2);
       },
       "softmax: dimension out of range: 2 of a rank-2 tensor"},
      {[&] {
         attention(t({1, 2, 10}), 4);
       },
       "attention: packed qkv must be [B, T, heads * 3 * 4]: [1, 2, 10]"},
      {[&] { hv::cat({}, 0); }, "cat: no tensors"},
      {[&] {
         hv::cat({t({2, 3}), t({2, 4})}, 0);
       },
       "cat: shapes differ outside dimension 0: [2, 3] and [2, 4]"},
      {[&] { stack({}, 0); }, "stack: no tensors"},
      {[&] {
         stack({t({2}), t({3})}, 0);
       },
       "stack: shapes differ: [2] and [3]"},
      {[&] {
         index_select(t({2, 3}), 0, two);
       },
       "index_select: index out of range: 2 in dimension 0 of [2, 3]"},
      {[&] {
         gather_rows(t({2, 3}), five);
       },
       "gather_rows: column out of range: 5 of [2, 3]"},
      {[&] {
         gather_rows(t({2, 3}), none);
       },
       "gather_rows: 0 columns for the rows of [2, 3]"},
      {[&] {
         patchify(t({1, 3, 5, 4}), 2);
       },
       "patchify: images must be [B, C, H, W] with H and W multiples of 2: [1, 3, 5, 4]"},
      {[&] {
         gather_tokens(t({2, 3, 4}), two, 2);
       },
       "gather_tokens: 2 indices for 2 tokens per image of [2, 3, 4]"},
      {[&] {
         gather_tokens(t({2, 3, 4}), five, 1);
       },
       "gather_tokens: index out of range: 5 for image 0 of [2, 3, 4]"},
      {[&] {
         gather_tokens(t({2, 3, 4}), below, 1);
       },
       "gather_tokens: index out of range: -1 for image 1 of [2, 3, 4]"},
      {[&] {
         gather_tokens(t({2, 3, 4}), none, -1);
       },
       "gather_tokens: 0 indices for -1 tokens per image of [2, 3, 4]"},
      {[&] {
         top_tokens(t({2, 3}), 4);
       },
       "top_tokens: k must be from 1 to the number of tokens: 4 of [2, 3]"},
      {[&] {
         top_tokens(t({2, 0}), 0);
       },
       "top_tokens: k must be from 1 to the number of tokens: 0 of [2, 0]"},
      {[&] {
         resize_bilinear(t({1, 3, 0, 4}), 2, 2, true);
       },
       "resize_bilinear: images without pixels: [1, 3, 0, 4]"},
      {[&] {
         resize_bilinear(t({1, 3, 4, 4}), 2, 0, true);
       },
       "resize_bilinear: sides must be from 1 to 2^30: [1, 3, 4, 4] to 2 x 0"},
      {[&] {
         resize_bilinear(t({1, 3, 4, 4}), int64_t{1} << 31, 1, false);
       },
       "resize_bilinear: sides must be from 1 to 2^30: [1, 3, 4, 4] to 2147483648 x 1"},
      // The rank comes first: sizes of dimensions that are not there say nothing.
      {[&] {
         hv::conv2d(t({3, 4, 4}), t({2, 3, 3, 3}), {});
       },
       "conv2d: images must be [N, C, H, W]: [3, 4, 4]"},
      {[&] {
         hv::conv2d(t({1, 3, 4, 4}), t({2, 27}), {});
       },
       "conv2d: weight must be [O, C, kh, kw]: [2, 27]"},
      {[&] {
         hv::conv2d(t({1, 3, 0, 4}), t({2, 3, 3, 3}), {});
       },
       "conv2d: images without pixels: [1, 3, 0, 4]"},
      {[&] {
         linear(t({2, 3}), t({3}));
       },
       "linear: weight must be [N, K]: [3]"},
      {[&] {
         gelu_linear(t({}), t({4, 3}));
       },
       "gelu_linear: x needs at least 1 dimension: []"},
      {[&] {
         norm_linear(t({}), t({3}), t({3}), 1e-6, t({4, 3}));
       },
       "norm_linear: x needs at least 1 dimension: []"},
      {[&] { layer_norm(t({}), t({1}), t({1})); }, "layer_norm: x needs at least 1 dimension: []"},
      {[&] {
         embed_tokens(t({3, 4}), t({4}), t({4, 4}));
       },
       "embed_tokens: patches must be [B, N, p]: [3, 4]"},
      {[&] {
         gather_rows(t({2, 3, 1}), two);
       },
       "gather_rows: x must be [M, N]: [2, 3, 1]"},
      {[&] {
         gather_tokens(t({2, 3}), two, 1);
       },
       "gather_tokens: x must be [B, T, p]: [2, 3]"},
      {[&] { top_tokens(t({3}), 1); }, "top_tokens: scores must be [B, T]: [3]"},
      {[&] {
         resize_bilinear(t({3, 4, 4}), 2, 2, false);
       },
       "resize_bilinear: images must be [B, C, H, W]: [3, 4, 4]"},
      {[&] {
         hv::cat({t({2, 3}), t({2})}, 0);
       },
       "cat: ranks differ: [2, 3] and [2]"},
      {[&] {
         hv::conv2d(t({1, 3, 4, 4}), t({2, 2, 3, 3}), {});
       },
       "conv2d: channels differ: images [1, 3, 4, 4], weight [2, 2, 3, 3]"},
      {[&] {
         hv::conv2d(t({1, 2, 2, 2}), t({2, 2, 3, 3}), {});
       },
       "conv2d: kernel 3 x 3 is larger than the padded image of [1, 2, 2, 2], padding 0"},
      {[&] {
         hv::conv2d(t({1, 2, 4, 4}), t({2, 2, 3, 3}), t({3}));
       },
       "conv2d: bias [3] for weight [2, 2, 3, 3]"},
      {[&] {
         hv::conv2d(t({1, 2, 4, 4}), t({2, 2, 3, 3}), {}, 0);
       },
       "conv2d: bad kernel 3 x 3, stride 0 or padding 0"},
      {[&] {
         max_pool2d(t({1, 2, 4, 4}), 2, 2, 2);
       },
       "max_pool2d: padding 2 is more than half of the kernel, 2"},
      {[&] {
         avg_pool2d(t({2, 4, 4}), 2, 2);
       },
       "avg_pool2d: images must be [N, C, H, W]: [2, 4, 4]"},
      {[&] { dropout(t({2}), 1, {}); }, "dropout: the probability must be in [0, 1): 1"},
      {[&] { drop_path(t({2}), -0.5, {}); }, "drop_path: the probability must be in [0, 1): -0.5"},
      {[&] {
         cross_entropy(t({2, 3}), five);
       },
       "cross_entropy: label out of range: 5 of 3 classes"},
      {[&] {
         cross_entropy(t({2, 3}), none);
       },
       "cross_entropy: 0 labels for logits [2, 3]"},
      {[&] {
         cross_entropy(t({2, 3}), two, 1.5);
       },
       "cross_entropy: smoothing must be in [0, 1]: 1.5"},
      {[&] {
         cross_entropy(t({0, 3}), none);
       },
       "cross_entropy: logits must be [batch, classes], both at least 1: [0, 3]"},
      {[&] {
         cross_entropy(t({2, 3}), t({3, 2}));
       },
       "cross_entropy: targets [3, 2] for logits [2, 3]"},
      {[&] {
         cross_entropy(t({2, 3}), t({2, 3}).requires_grad_());
       },
       "cross_entropy: the targets get no gradient: detach() them"},
      {[&] { bce_with_logits(t({2}), t({3})); }, "bce_with_logits: targets [3] for logits [2]"},
      {[&] {
         focal_loss(t({0, 3}), t({0, 3}), 2);
       },
       "focal_loss: targets [0, 3] for logits [0, 3]; expected the same shape [.., labels], not empty"},
      {[&] {
         focal_loss(t({2, 3}), t({2, 3}), -1);
       },
       "focal_loss: gamma must not be negative: -1"},
      {[&] {
         focal_loss(t({2, 3}), t({2, 3}), 2, {t({2}), {}});
       },
       "focal_loss: weights [2] for logits [2, 3]; expected one per label"},
      {[&] {
         bce_with_logits(t({2, 3}), t({2, 3}).requires_grad_(), LabelWeights{});
       },
       "bce_with_logits: the targets get no gradient: detach() them"},
  };
  for (const auto& [action, text] : cases) CHECK(error_of(action) == text);
}

}  // namespace hv::test
