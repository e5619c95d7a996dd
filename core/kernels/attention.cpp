#include "core/kernels/attention.h"

#include <algorithm>

#include "core/kernels/bf16.h"
#include "core/kernels/product_list.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

// What forward and backward of one (image, head) share. `rows(part)` are its rows of q, k or v.
template <class Rows>
simd::AttentionHead head_at(const AttentionSizes& z, const Rows& rows, Real* stats, int64_t image, int64_t h, Real* scratch) {
  const RowsIn q = rows(0);
  simd::AttentionHead head{};
  head.q = q.data;
  head.k = rows(1).data;
  head.v = rows(2).data;
  head.ld = q.ld;
  head.ldo = z.width();
  head.stats = stats + (image * z.heads + h) * simd::attention_stats(z.tokens);
  head.tokens = z.tokens;
  head.head_dim = z.head_dim();
  head.scale = z.scale();
  head.scratch = scratch;
  head.multiply = small_bf16(z.tokens, z.tokens, z.head_dim());
  return head;
}

void note(const AttentionSizes& z, int scores, int mixtures) {
  using Kind = MatrixProduct::Kind;
  for (int i = 0; i < scores; ++i) note_product({Kind::scores, z.tokens, z.tokens, z.head_dim(), z.batch * z.heads});
  for (int i = 0; i < mixtures; ++i) note_product({Kind::mixture, z.tokens, z.head_dim(), z.tokens, z.batch * z.heads});
}

// body(image, head, rows, scratch) for all heads of all images, with memory for T widened rows of q, k, v and the kernel's own
// scratch. The heads of one image follow each other, so that its rows stay in the cache, unless there are few images.
template <class Body>
void for_heads(const AttentionSizes& z, const Body& body) {
  const int64_t rows = z.tokens * 3 * z.head_dim(), size = simd::attention_scratch(z.tokens, z.head_dim()) + rows;
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
    const auto part = [&](int64_t which) { return RowsIn{rows + z.column(h, which), z.packed()}; };
    simd::AttentionHead head = head_at(z, part, stats, image, h, scratch);
    head.out = out + first * z.width() + h * z.head_dim();
    simd::kernels().attention_head(head);
  });
}

void attention_backward(const AttentionSizes& z, const StoredRows& qkv, Real* stats, const Real* dout, const RowsOut& dqkv) {
  note(z, 1, 3);  // dP; dv, dq, dk
  for_heads(z, [&](int64_t image, int64_t h, Real* widened, Real* scratch) {
    const int64_t first = image * z.tokens, d = z.head_dim();
    const auto part = [&](int64_t which) {
      return qkv.rows(first, first + z.tokens, z.column(h, which), d, widened + which * z.tokens * d);
    };
    simd::AttentionHead head = head_at(z, part, stats, image, h, scratch);
    head.dout = dout + first * z.width() + h * d;
    Real* const rows = dqkv.data + first * dqkv.ld;
    head.dq = rows + z.column(h, 0);
    head.dk = rows + z.column(h, 1);
    head.dv = rows + z.column(h, 2);
    head.ldd = dqkv.ld;
    head.add = dqkv.add;
    simd::kernels().attention_head_backward(head);
  });
}

}  // namespace hv
