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
  head.ldo = z.whole(h) ? z.width() : z.dim(h);
  head.stats = stats + (image * z.heads + h) * simd::attention_stats(z.tokens);
  head.tokens = z.tokens;
  head.head_dim = z.dim(h);
  head.scale = z.scale();
  head.scratch = scratch;
  head.multiply = small_bf16(z.tokens, z.tokens, z.dim(h));
  return head;
}

void note(const AttentionSizes& z, int scores, int mixtures) {
  using Kind = MatrixProduct::Kind;
  const auto heads_of = [&](int64_t d, int64_t count) {
    for (int i = 0; i < scores; ++i) note_product({Kind::scores, z.tokens, z.tokens, d, count});
    for (int i = 0; i < mixtures; ++i) note_product({Kind::mixture, z.tokens, d, z.tokens, count});
  };
  if (!z.layout.table) return heads_of(z.head_dim(), z.batch * z.heads);
  for (const int64_t d : z.layout.table->dims) {
    if (d > 0) heads_of(d, z.batch);
  }
}

// Copies that a head needs: q, k and v widened from bf16; of a head in pieces also the results, dq, dk and dv.
int64_t copies(const AttentionSizes& z) { return z.layout.table ? 7 : 3; }

// body(image, head, rows, scratch) for all heads of all images, with memory for copies of T rows and the kernel's own scratch.
// The heads of one image follow each other, so that its rows stay in the cache, unless there are few images.
template <class Body>
void for_heads(const AttentionSizes& z, const Body& body) {
  const int64_t rows = z.tokens * copies(z) * z.head_dim();
  const int64_t size = simd::attention_scratch(z.tokens, z.head_dim()) + rows;
  Storage scratch(size * num_threads());
  const PartTimer timer(Part::attention);
  parallel_blocks(z.batch * z.heads, z.batch < 16 ? 1 : std::max<int64_t>(z.heads, 1), [&](int64_t begin, int64_t end) {
    Real* const mine = scratch.data() + size * thread_index();
    for (int64_t i = begin; i < end; ++i) body(i / z.heads, i % z.heads, mine, mine + rows);
  });
}

// The pieces of q, k or v side by side: [T, D].
RowsIn collect(const AttentionSizes& z, const StoredRows& from, int64_t first, int64_t h, int64_t part, Real* to) {
  int64_t at = 0;
  for (const HeadTable::Piece& p : z.pieces(h)) {
    from.copy(first, first + z.tokens, p.qkv + part * p.size, p.size, to + at, z.dim(h));
    at += p.size;
  }
  return {to, z.dim(h)};
}

// The other way: from [T, D] to where the pieces lie; `column(piece)`: of their first number.
template <class Column>
void spread(const AttentionSizes& z, const Real* from, int64_t h, const Column& column, const RowsOut& to) {
  for (const HeadTable::Piece& p : z.pieces(h)) {
    for (int64_t t = 0; t < z.tokens; ++t) {
      const Real* const x = from + t * z.dim(h);
      Real* const y = to.data + t * to.ld + column(p);
      for (int64_t i = 0; i < p.size; ++i) y[i] = to.add ? y[i] + x[i] : x[i];
    }
    from += p.size;
  }
}

}  // namespace

void attention_forward(const AttentionSizes& z, const Real* qkv, const RoundedRows& kept, Real* stats, Real* out) {
  note(z, 1, 1);
  if (z.tokens == 0) return;
  for_heads(z, [&](int64_t image, int64_t h, Real* copy, Real* scratch) {
    const int64_t first = image * z.tokens, block = z.tokens * z.dim(h);
    const Real* const rows = qkv + first * z.packed();
    if (h == 0 && kept) kept.put(rows, z.packed(), first, first + z.tokens);
    if (block == 0) return;
    const auto part = [&](int64_t which) {
      if (!z.whole(h)) return collect(z, {{qkv, z.packed()}}, first, h, which, copy + which * block);
      return RowsIn{rows + z.column(h, which), z.packed()};
    };
    simd::AttentionHead head = head_at(z, part, stats, image, h, scratch);
    Real* const results = out + first * z.width();
    head.out = z.whole(h) ? results + z.out_column(h) : copy + 3 * block;
    simd::kernels().attention_head(head);
    if (!z.whole(h)) spread(z, head.out, h, [](const HeadTable::Piece& p) { return p.out; }, {results, z.width()});
  });
}

void attention_backward(const AttentionSizes& z, const StoredRows& qkv, Real* stats, const Real* dout, const RowsOut& dqkv) {
  note(z, 1, 3);  // dP; dv, dq, dk
  for_heads(z, [&](int64_t image, int64_t h, Real* copy, Real* scratch) {
    const int64_t first = image * z.tokens, d = z.dim(h), block = z.tokens * d;
    if (block == 0) return;
    const auto part = [&](int64_t which) {
      if (!z.whole(h)) return collect(z, qkv, first, h, which, copy + which * block);
      return qkv.rows(first, first + z.tokens, z.column(h, which), d, copy + which * block);
    };
    simd::AttentionHead head = head_at(z, part, stats, image, h, scratch);
    Real* const rows = dqkv.data + first * dqkv.ld;
    const Real* const results = dout + first * z.width();
    if (z.whole(h)) {
      head.dout = results + z.out_column(h);
      head.dq = rows + z.column(h, 0);
      head.dk = rows + z.column(h, 1);
      head.dv = rows + z.column(h, 2);
      head.ldd = dqkv.ld;
      head.add = dqkv.add;
      simd::kernels().attention_head_backward(head);
      return;
    }
    int64_t at = 0;
    for (const HeadTable::Piece& p : z.pieces(h)) {
      StoredRows{{results, z.width()}}.copy(0, z.tokens, p.out, p.size, copy + 3 * block + at, d);
      at += p.size;
    }
    head.dout = copy + 3 * block;
    head.dq = copy + 4 * block;
    head.dk = copy + 5 * block;
    head.dv = copy + 6 * block;
    head.ldd = d;
    simd::kernels().attention_head_backward(head);
    for (int64_t which = 0; which < 3; ++which) {
      spread(z, copy + (4 + which) * block, h, [=](const HeadTable::Piece& p) { return p.qkv + which * p.size; },
             {rows, dqkv.ld, dqkv.add});
    }
  });
}

}  // namespace hv
