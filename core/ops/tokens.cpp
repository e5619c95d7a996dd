// The first step of a vision transformer: patches become tokens behind a CLS token, and positions are added. Later on, the
// tokens with the highest scores may be chosen and gathered.
#include "core/kernels/tokens.h"

#include "core/ops.h"
#include "core/ops/sink.h"

namespace hv {

Tensor embed_tokens_composed(const Tensor& patches, const Tensor& cls, const Tensor& positions) {
  const int64_t s = cls.rank() == 1 ? 1 : cls.size(0);
  const Tensor first = cls.expand({patches.size(0), s, patches.size(2)});
  return cat({first, patches}, 1) + positions;
}

Tensor embed_tokens(const Tensor& patches, const Tensor& cls, const Tensor& positions) {
  HV_CHECK(patches.rank() == 3, "embed_tokens: patches must be [B, N, p]: ", patches.shape());
  const int64_t first = cls.rank() == 2 ? cls.size(0) : 1;
  HV_CHECK((cls.rank() == 1 || cls.rank() == 2) && cls.size(-1) == patches.size(2) &&
               positions.shape() == Shape({patches.size(1) + first, patches.size(2)}),
           "embed_tokens: patches ", patches.shape(), " need cls [p] and positions [N + 1, p]: ", cls.shape(), ", ",
           positions.shape());
  const TokenSizes z{patches.size(0), patches.size(1), patches.size(2), first};
  const Tensor x = patches.detach().contiguous(), c = cls.detach().contiguous();
  // The leading channels of wider positions, as in a subnetwork, are read in place.
  const bool rows = z.channels <= 1 || positions.strides()[1] == 1;
  const Tensor pos = rows ? positions.detach() : positions.detach().contiguous();
  const Tensor y = Tensor::empty({z.batch, z.tokens(), z.channels});
  embed_forward(z, x.data(), c.data(), {pos.data(), pos.strides()[0]}, y.mutable_data());
  // dpatches = g[:, S:];  dcls = sum over images of g[:, :S];  dpositions = sum over images of g
  return record("embed_tokens", y, {patches, cls, positions}, [z](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, z.batch * z.patches, z.channels), dcls(in, 1, z.first, z.channels);
    const Sink dpos(in, 2, z.tokens(), z.channels);
    embed_backward(z, g.data(), dx, dcls, dpos);
    for (const Sink* s : {&dx, &dcls, &dpos}) s->finish();
  });
}

std::vector<int64_t> top_tokens(const Tensor& scores, int64_t k) {
  HV_CHECK(scores.rank() == 2, "top_tokens: scores must be [B, T]: ", scores.shape());
  HV_CHECK(k >= 1 && k <= scores.size(1), "top_tokens: k must be from 1 to the number of tokens: ", k, " of ", scores.shape());
  std::vector<int64_t> index(static_cast<size_t>(scores.size(0) * k));
  top_rows({scores.data(), scores.size(0), scores.size(1), scores.strides()[0], scores.strides()[1]}, k, index.data());
  return index;
}

Tensor gather_tokens(const Tensor& x, std::span<const int64_t> index, int64_t k) {
  HV_CHECK(x.rank() == 3, "gather_tokens: x must be [B, T, p]: ", x.shape());
  const int64_t batch = x.size(0), tokens = x.size(1), p = x.size(2);
  HV_CHECK(k >= 0 && static_cast<int64_t>(index.size()) == numel({batch, k}), "gather_tokens: ", index.size(), " indices for ",
           k, " tokens per image of ", x.shape());
  std::vector<int64_t> kept(index.begin(), index.end());
  for (size_t i = 0; i < kept.size(); ++i) {
    HV_CHECK(kept[i] >= 0 && kept[i] < tokens, "gather_tokens: index out of range: ", kept[i], " for image ",
             static_cast<int64_t>(i) / k, " of ", x.shape());
  }
  const Tensor from = p <= 1 || x.strides()[2] == 1 ? x.detach() : x.detach().contiguous();
  const Tensor y = Tensor::empty({batch, k, p});
  gather_forward({kept.data(), batch, tokens, k, p}, {from.data(), from.strides()[1]}, from.strides()[0], y.mutable_data());
  // y[b, i] = x[b, index[b, i]];  dx[b, t] = the sum of g[b, i] over all i with index[b, i] = t
  return record("gather_tokens", y, {x}, [=, kept = std::move(kept)](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, batch, tokens * p);
    gather_backward({kept.data(), batch, tokens, k, p}, g.data(), dx);
    dx.finish();
  });
}

}  // namespace hv
