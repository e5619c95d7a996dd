// Attention whose maps somebody looks at, or changes, before they meet the values: for explanations (nn/probe.h). By ordinary
// operations, so it keeps maps of T x T for backward, as attention() does not.
// Thread rule: as core/ops.h.
#pragma once

#include <functional>

#include "core/ops.h"

namespace hv {

// From the maps softmax(q k^T * scale), [B, heads, T, T] of all heads that have a dimension, to what v is multiplied by.
using MapsHook = std::function<Tensor(const Tensor& maps)>;
Tensor attention_through(const Tensor& qkv, const HeadLayout& layout, const MapsHook& hook);  // [B, T, 3p] -> [B, T, p]

}  // namespace hv
