// The first step of a vision transformer: patches become tokens behind a CLS token, and positions are added.
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

}  // namespace hv
