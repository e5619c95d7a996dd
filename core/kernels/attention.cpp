#include "core/kernels/attention.h"

#include <algorithm>

#include "core/kernels/bf16.h"
#include "core/kernels/product_list.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

// What forward and backward of one (image, head) share. Its packed rows begin at qkv.
simd::AttentionHead head_at(const AttentionSizes& z, const RowsIn& qkv, Real* stats, int64_t image, int64_t h, Real* scratch) {
  simd::AttentionHead head{};
  head.q = qkv.data;
  head.k = head.q + z.head_dim;
  head.v = head.k + z.head_dim;
  head.ld = qkv.ld;
  head.ldo = z.width();
  head.stats = stats + (image * z.heads + h) * simd::attention_stats(z.tokens);
  head.tokens = z.tokens;
  head.head_dim = z.head_dim;
  head.scale = z.scale();
  head.scratch = scratch;
  head.multiply = small_bf16(z.tokens, z.tokens, z.head_dim);
  return head;
}

void note(const AttentionSizes& z, int scores, int mixtures) {
  using Kind = MatrixProduct::Kind;
  for (int i = 0; i < scores; ++i) note_product({Kind::scores, z.tokens, z.tokens, z.head_dim, z.batch * z.heads});
  for (int i = 0; i < mixtures; ++i) note_product({Kind::mixture, z.tokens, z.head_dim, z.tokens, z.batch * z.heads});
}

// body(image, head, rows, scratch) for all heads of all images, with memory for T widened rows of q, k, v and the kernel's own
// scratch. The heads of one image follow each other, so that its rows stay in the cache, unless there are few images.
template <class Body>
void for_heads(const AttentionSizes& z, const Body& body) {
  const int64_t rows = z.tokens * 3 * z.head_dim, size = simd::attention_scratch(z.tokens, z.head_dim) + rows;
  Storage scratch(size * num_threads());
  const PartTimer timer(Part::attention);
  parallel_blocks(z.batch * z.heads, z.batch < 16 ? 1 : std::max<int64_t>(z.heads, 1), [&](int64_t begin, int64_t end) {
    Real* const mine = scratch.data() + size * thread_index();
    for (int64_t i = begin; i < end; ++i) body(i / z.heads, i % z.heads, mine, mine + rows);
  });
}

}  // namespace

void attention_forward(const AttentionSizes& z, const Real* qkv, const RoundedRows& kept, Real* stats, Real* out) {
  note(z, 1, 1);
  if (z.tokens == 0) return;
  for_heads(z, [&](int64_t image, int64_t h, Real*, Real* scratch) {
    const int64_t first = image * z.tokens;
    const Real* const rows = qkv + first * z.packed();
    if (h == 0 && kept) kept.put(rows, z.packed(), first, first + z.tokens);
    simd::AttentionHead head = head_at(z, {rows + h * 3 * z.head_dim, z.packed()}, stats, image, h, scratch);
    head.out = out + first * z.width() + h * z.head_dim;
    simd::kernels().attention_head(head);
  });
}

void attention_backward(const AttentionSizes& z, const StoredRows& qkv, Real* stats, const Real* dout, const RowsOut& dqkv) {
  note(z, 1, 3);  // dP; dv, dq, dk
  for_heads(z, [&](int64_t image, int64_t h, Real* widened, Real* scratch) {
    const int64_t first = image * z.tokens, width = 3 * z.head_dim;
    const RowsIn rows = qkv.rows(first, first + z.tokens, h * width, width, widened);
    simd::AttentionHead head = head_at(z, rows, stats, image, h, scratch);
    head.dout = dout + first * z.width() + h * z.head_dim;
    head.dq = dqkv.data + first * dqkv.ld + h * width;
    head.dk = head.dq + z.head_dim;
    head.dv = head.dk + z.head_dim;
    head.ldd = dqkv.ld;
    head.add = dqkv.add;
    simd::kernels().attention_head_backward(head);
  });
}

}  // namespace hv
