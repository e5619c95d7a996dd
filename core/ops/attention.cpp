// Scaled dot-product attention on stacked heads (Vaswani et al. 2017): o = softmax(q k^T / sqrt(D)) v for each image and head.
//
// qkv is [B, T, heads * 3 * D], packed (head, {q, k, v}, D), so that the first k heads are a prefix (idea 3), or as its
// HeadLayout says. The loops are in core/kernels/attention.cpp and core/kernels/simd/attention.cpp.
#include "core/kernels/attention.h"

#include <array>

#include "core/ops/attention_maps.h"
#include "core/ops/kept_rows.h"
#include "core/ops/sink.h"

namespace hv {
namespace {

AttentionSizes sizes_of(const Tensor& qkv, const HeadLayout& layout, const char* op) {
  const int64_t d = layout.head_dim;
  HV_CHECK(d > 0 && d <= kMaxElements / 3, op, ": bad head_dim: ", d);
  if (layout.table) {
    HV_CHECK(qkv.rank() == 3 && qkv.size(2) == 3 * layout.table->width, op, ": packed qkv of these heads must be [B, T, ",
             3 * layout.table->width, "]: ", qkv.shape());
  } else {
    HV_CHECK(qkv.rank() == 3 && qkv.size(2) % (3 * d) == 0, op, ": packed qkv must be [B, T, heads * 3 * ", d,
             "]: ", qkv.shape());
  }
  HV_CHECK(qkv.size(1) < int64_t{1} << 24, op, ": too many tokens: ", qkv.shape());  // the kernels need T * T numbers
  return {qkv.size(0), qkv.size(1), layout.table ? std::ssize(layout.table->heads) : qkv.size(2) / (3 * d), layout};
}

// q, k or v as a [B, heads, T, D] view of the packed tensor.
Tensor unpacked(const Tensor& qkv, const AttentionSizes& z, int which) {
  if (z.layout.stacked) return qkv.reshape({z.batch, z.tokens, z.heads, 3, z.head_dim()}).select(3, which).transpose(1, 2);
  return qkv.reshape({z.batch, z.tokens, 3, z.heads, z.head_dim()}).select(2, which).transpose(1, 2);
}

// Of a head of a table: q, k and v, [B, T, D] each, its pieces put together; undefined if it has no dimension.
std::array<Tensor, 3> together(const Tensor& qkv, const AttentionSizes& z, int64_t h) {
  std::array<std::vector<int64_t>, 3> columns;
  for (const HeadTable::Piece& p : z.pieces(h)) {
    for (int64_t i = 0; i < p.size; ++i) {
      for (size_t which = 0; which < 3; ++which) columns[which].push_back(p.qkv + static_cast<int64_t>(which) * p.size + i);
    }
  }
  if (columns[0].empty()) return {};
  return {index_select(qkv, 2, columns[0]), index_select(qkv, 2, columns[1]), index_select(qkv, 2, columns[2])};
}

Tensor probabilities_of(const Tensor& q, const Tensor& k, const AttentionSizes& z) {
  return softmax(matmul(q, k.transpose(-2, -1)) * static_cast<double>(z.scale()), -1);
}

// Heads of unequal size, one after the other; then their results are put where the pieces lie.
Tensor unequal_through(const Tensor& qkv, const AttentionSizes& z, const MapsHook& hook) {
  std::vector<Tensor> maps = {Tensor::zeros({z.batch, 0, z.tokens, z.tokens})}, values;
  std::vector<int64_t> places(static_cast<size_t>(z.width()));  // of each column of the result, among those of `results`
  int64_t made = 0;
  for (int64_t h = 0; h < z.heads; ++h) {
    for (const HeadTable::Piece& p : z.pieces(h)) {
      for (int64_t i = 0; i < p.size; ++i) places[static_cast<size_t>(p.out + i)] = made++;
    }
    const auto [q, k, v] = together(qkv, z, h);
    if (!q.defined()) continue;
    maps.push_back(probabilities_of(q, k, z).unsqueeze(1));
    values.push_back(v);
  }
  const Tensor used = hook(cat(maps, 1));  // [B, heads that have a dimension, T, T]
  std::vector<Tensor> results = {Tensor::zeros({z.batch, z.tokens, 0})};
  for (size_t i = 0; i < values.size(); ++i) {
    results.push_back(matmul(used.select(1, static_cast<int64_t>(i)), values[i]));
  }
  return index_select(cat(results, 2), 2, places);
}

}  // namespace

Tensor attention_through(const Tensor& qkv, const HeadLayout& layout, const MapsHook& hook) {
  const AttentionSizes z = sizes_of(qkv, layout, "attention_through");
  if (layout.table) return unequal_through(qkv, z, hook);
  const Tensor q = unpacked(qkv, z, 0), k = unpacked(qkv, z, 1), v = unpacked(qkv, z, 2);
  return matmul(hook(probabilities_of(q, k, z)), v)
      .transpose(1, 2)
      .reshape({z.batch, z.tokens, z.width()});  // [B, heads, T, D] -> [B, T, heads * D]
}

Tensor attention_composed(const Tensor& qkv, const HeadLayout& layout) {
  return attention_through(qkv, layout, [](const Tensor& maps) { return maps; });
}

Tensor attention(const Tensor& qkv, const HeadLayout& layout) {
  const AttentionSizes z = sizes_of(qkv, layout, "attention");
  const Tensor packed = qkv.detach().contiguous(), out = Tensor::empty({z.batch, z.tokens, z.width()});
  const auto stats = std::make_shared<Storage>(z.stats());
  const bool recorded = wants_grad({qkv});
  const KeptRows kept(packed.view({z.batch * z.tokens, z.packed()}), recorded, true);
  attention_forward(z, packed.data(), kept.copy(), stats->data(), out.mutable_data());
  if (!recorded) return out;
  // With p = softmax(s), s = scale * q k^T and g = do:
  //   dp = g v^T,  ds = p (dp - sum over keys of p dp),  dq = scale * ds k,  dk = scale * ds^T q,  dv = p^T g
  return record("attention", out, {qkv}, [z, stats, kept](const Tensor& g, const Edges& in) {
    const Sink dqkv(in, 0, z.batch * z.tokens, z.packed());
    if (dqkv && z.tokens > 0) attention_backward(z, kept.open(), stats->data(), g.data(), dqkv);
    dqkv.finish();
  });
}

Tensor attention_probabilities(const Tensor& qkv, const HeadLayout& layout) {
  NoGrad off;
  const AttentionSizes z = sizes_of(qkv, layout, "attention_probabilities");
  if (!layout.table) return probabilities_of(unpacked(qkv, z, 0), unpacked(qkv, z, 1), z);
  std::vector<Tensor> heads = {Tensor::zeros({z.batch, 0, z.tokens, z.tokens})};
  for (int64_t h = 0; h < z.heads; ++h) {
    const auto [q, k, v] = together(qkv, z, h);
    if (q.defined()) heads.push_back(probabilities_of(q, k, z).view({z.batch, 1, z.tokens, z.tokens}));
  }
  return cat(heads, 1);
}

Tensor cls_attention(const Tensor& qkv, const HeadLayout& layout) {
  NoGrad off;
  const AttentionSizes z = sizes_of(qkv, layout, "cls_attention");
  HV_CHECK(!layout.table, "cls_attention: heads differ in size");
  HV_CHECK(z.tokens > 0, "cls_attention: no tokens: ", qkv.shape());
  const Tensor q = unpacked(qkv, z, 0).slice(2, 0, 1), k = unpacked(qkv, z, 1);  // [B, heads, 1, D], [B, heads, T, D]
  const Tensor row = softmax(matmul(q, k.transpose(-2, -1)) * static_cast<double>(z.scale()), -1);
  return mean(row, {1}).view({z.batch, z.tokens});
}

}  // namespace hv
