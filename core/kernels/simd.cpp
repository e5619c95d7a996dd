#include "core/kernels/simd.h"

#include "core/environment.h"

namespace hv::simd {

#define HV_DECLARE(name, parameters) void name parameters;
#define HV_ENTRY(name, parameters) name,
#define HV_LEVEL_TABLE(level, bytes)                                                              \
  namespace level {                                                                               \
  HV_SIMD_KERNELS(HV_DECLARE)                                                                     \
  static const Kernels table{#level, (bytes) / int64_t{sizeof(Real)}, HV_SIMD_KERNELS(HV_ENTRY)}; \
  }
// The second number is the bytes per vector: kBytes of simd/vec.h at that level.
HV_LEVEL_TABLE(v2, 16)
HV_LEVEL_TABLE(v3, 32)
HV_LEVEL_TABLE(v4, 64)

namespace {

const Kernels& choose() {
  __builtin_cpu_init();
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const int wish = environment_word("HYDRAVIT_SIMD", {"v2", "v3", "v4"}), most = wish < 0 ? 2 : wish;
  if (has_v4 && most >= 2) return v4::table;
  if (has_v3 && most >= 1) return v3::table;
  return v2::table;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

namespace {
int64_t padded(int64_t tokens) { return (tokens + 15) / 16 * 16; }
}  // namespace

int64_t attention_scratch(int64_t tokens, int64_t head_dim) {
  return head_dim * padded(tokens) + 2 * tokens * padded(tokens);  // q^T or do^T; probabilities and their gradient
}
int64_t attention_stats(int64_t tokens) { return 2 * padded(tokens); }

}  // namespace hv::simd
