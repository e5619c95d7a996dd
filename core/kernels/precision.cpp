#include "core/kernels/precision.h"

#include "core/check.h"
#include "core/kernels/bf16.h"

namespace hv {
namespace {
Precision wanted = Precision::fp32;
}

void set_precision(Precision p) {
  const Bf16Unit unit = bf16_unit();  // always asked, so that an unknown HYDRAVIT_BF16 is always reported
  HV_CHECK_USAGE(p == Precision::fp32 || unit != Bf16Unit::none, "precision: this processor has no bf16 units; use fp32");
  if (p == Precision::bf16) prepare_bf16();
  wanted = p;
}

Precision precision() { return wanted; }

}  // namespace hv
