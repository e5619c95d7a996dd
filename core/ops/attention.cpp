// Scaled dot-product attention on stacked heads (Vaswani et al. 2017): o = softmax(q k^T / sqrt(D)) v for each image and head.
//
// qkv is [B, T, heads * 3 * D], packed (head, {q, k, v}, D) so that the first k heads are a prefix (idea 3). The fused op keeps
// qkv and two numbers a row (largest score, 1 / sum of exponentials) and makes the probabilities again in backward; nothing of
// size T x T is stored.
#include <cmath>

#include "core/kernels/bf16.h"
#include "core/kernels/product_list.h"
#include "core/kernels/simd.h"
#include "core/ops.h"
#include "core/ops/kept_rows.h"
#include "core/ops/sink.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

struct Sizes {
  int64_t batch, tokens, heads, head_dim;
  Sizes(const Tensor& qkv, int64_t d, const char* op) : head_dim(d) {
    HV_CHECK(qkv.rank() == 3 && d > 0 && qkv.size(2) % (3 * d) == 0, op, ": packed qkv must be [B, T, heads * 3 * ", d,
             "]: ", qkv.shape());
    batch = qkv.size(0);
    tokens = qkv.size(1);
    heads = qkv.size(2) / (3 * d);
  }
  int64_t packed() const { return heads * 3 * head_dim; }
  int64_t width() const { return heads * head_dim; }
  Real scale() const { return static_cast<Real>(1.0 / std::sqrt(static_cast<double>(head_dim))); }
};

// Pointers of one (image, head), whose packed rows are `ld` apart; `b` counts images.
simd::AttentionHead head_at(const Sizes& z, const Real* qkv, int64_t ld, Real* stats, int64_t b, int64_t h, Real* scratch) {
  simd::AttentionHead head{};
  head.q = qkv;
  head.k = head.q + z.head_dim;
  head.v = head.k + z.head_dim;
  head.ld = ld;
  head.ldo = z.width();
  head.stats = stats + (b * z.heads + h) * simd::attention_stats(z.tokens);
  head.tokens = z.tokens;
  head.head_dim = z.head_dim;
  head.scale = z.scale();
  head.scratch = scratch;
  head.multiply = small_bf16(z.tokens, z.tokens, z.head_dim);
  return head;
}

void note(const Sizes& z, int scores, int mixtures) {
  using Kind = MatrixProduct::Kind;
  for (int i = 0; i < scores; ++i) note_product({Kind::scores, z.tokens, z.tokens, z.head_dim, z.batch * z.heads});
  for (int i = 0; i < mixtures; ++i) note_product({Kind::mixture, z.tokens, z.head_dim, z.tokens, z.batch * z.heads});
}

// body(image, head, scratch: T rows of q, k, v and the kernel's own) over all heads of all images. The heads of one image stay
// together in the cache, unless images are few.
template <class Body>
void for_heads(const Sizes& z, const Body& body) {
  const int64_t size = simd::attention_scratch(z.tokens, z.head_dim) + z.tokens * 3 * z.head_dim;
  Storage scratch(size * num_threads());
  const PartTimer timer(Part::attention);
  parallel_blocks(z.batch * z.heads, z.batch < 16 ? 1 : z.heads, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i / z.heads, i % z.heads, scratch.data() + size * thread_index());
  });
}

// q, k, v as [B, heads, T, D] views of the packed tensor.
Tensor unpacked(const Tensor& qkv, const Sizes& z, int which) {
  return qkv.reshape({z.batch, z.tokens, z.heads, 3, z.head_dim}).select(3, which).transpose(1, 2);
}

}  // namespace

Tensor attention(const Tensor& qkv, int64_t head_dim) {
  const Sizes z(qkv, head_dim, "attention");
  const Tensor packed = qkv.detach().contiguous();
  const Tensor out = Tensor::empty({z.batch, z.tokens, z.width()}),
               stats = Tensor::empty({z.batch, z.heads, simd::attention_stats(z.tokens)});
  const bool recorded = wants_grad({qkv});
  const KeptRows kept(packed.view({z.batch * z.tokens, z.packed()}), recorded, true);
  note(z, 1, 1);
  if (z.tokens > 0) {
    Real *const to = out.mutable_data(), *const found = stats.mutable_data();
    for_heads(z, [&](int64_t b, int64_t h, Real* scratch) {
      const int64_t first = b * z.tokens, last = first + z.tokens;
      const Real* rows = packed.data() + first * z.packed();
      if (h == 0 && kept.wants_copy()) kept.put(rows, z.packed(), first, last);
      simd::AttentionHead head =
          head_at(z, rows + h * 3 * head_dim, z.packed(), found, b, h, scratch + z.tokens * 3 * head_dim);
      head.out = to + b * z.tokens * z.width() + h * head_dim;
      simd::kernels().attention_head(head);
    });
  }
  if (!recorded) return out;
  // Formulas: simd::attention_head_backward.
  return record("attention", out, {qkv}, [z, stats, kept](const Tensor& g, const Edges& in) {
    const Sink dqkv(in, 0, z.batch * z.tokens, z.packed());
    if (!dqkv || z.tokens == 0) return dqkv.finish();
    note(z, 1, 3);  // dp; dv, dq, dk
    const KeptRows::Opened saved = kept.open();
    Real* const found = stats.mutable_data();  // read only: one struct serves both passes
    for_heads(z, [&](int64_t b, int64_t h, Real* scratch) {
      const int64_t width = 3 * z.head_dim;
      const auto [rows, ld] = saved.rows(b * z.tokens, (b + 1) * z.tokens, h * width, width, scratch);
      simd::AttentionHead head = head_at(z, rows, ld, found, b, h, scratch + z.tokens * width);
      head.dout = g.data() + b * z.tokens * z.width() + h * z.head_dim;
      head.dq = dqkv.data + b * z.tokens * dqkv.ld + h * 3 * z.head_dim;
      head.dk = head.dq + z.head_dim;
      head.dv = head.dk + z.head_dim;
      head.ldd = dqkv.ld;
      head.add = dqkv.add;
      simd::kernels().attention_head_backward(head);
    });
    dqkv.finish();
  });
}

Tensor attention_composed(const Tensor& qkv, int64_t head_dim) {
  const Sizes z(qkv, head_dim, "attention_composed");
  const Tensor q = unpacked(qkv, z, 0), k = unpacked(qkv, z, 1), v = unpacked(qkv, z, 2);
  const Tensor p = softmax(matmul(q, k.transpose(-2, -1)) * static_cast<double>(z.scale()), -1);
  return matmul(p, v).transpose(1, 2).reshape({z.batch, z.tokens, z.width()});  // [B, heads, T, D] -> [B, T, heads * D]
}

Tensor attention_probabilities(const Tensor& qkv, int64_t head_dim) {
  NoGrad off;
  const Sizes z(qkv, head_dim, "attention_probabilities");
  return softmax(matmul(unpacked(qkv, z, 0), unpacked(qkv, z, 1).transpose(-2, -1)) * static_cast<double>(z.scale()), -1);
}

}  // namespace hv
