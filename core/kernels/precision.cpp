#include "core/kernels/precision.h"

#include "core/check.h"
#include "core/kernels/bf16.h"

namespace hv {
namespace {
Precision wanted = Precision::fp32;
}

void set_precision(Precision p) {
  HV_CHECK_USAGE(p == Precision::fp32 || bf16_unit() != Bf16Unit::none,
                 "precision: this processor has no bf16 units; use fp32");
  if (p == Precision::bf16) prepare_bf16();
  wanted = p;
}

Precision precision() { return wanted; }

}  // namespace hv
