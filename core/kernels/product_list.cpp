#include "core/kernels/product_list.h"

#include <algorithm>
#include <chrono>

#include "core/kernels/bf16.h"
#include "core/kernels/gemm.h"
#include "core/kernels/simd.h"
#include "core/parallel.h"

namespace hv {
namespace {
std::vector<MatrixProduct>* noted = nullptr;
}

void note_products(std::vector<MatrixProduct>* list) { noted = list; }
void note_product(const MatrixProduct& product) {
  if (noted) noted->push_back(product);
}

double seconds_alone(const MatrixProduct& p) {
  using Kind = MatrixProduct::Kind;
  const bool small = p.kind == Kind::scores || p.kind == Kind::mixture;
  // Each head has operands of its own; each thread has one result.
  const int64_t operands = small ? p.count : 1, results = small ? num_threads() : 1, padded = (p.n + 15) / 16 * 16;
  Storage left(operands * p.m * p.k), right(operands * p.k * p.n), result(results * p.m * padded),
      workspace(num_threads() * p.k * padded);
  std::fill_n(left.data(), left.size(), static_cast<Real>(0.5));
  std::fill_n(right.data(), right.size(), static_cast<Real>(0.5));
  const auto begin = std::chrono::steady_clock::now();
  if (small) {
    const auto multiply = small_bf16(p.m, p.n, p.k);
    parallel_blocks(p.count, 8, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        simd::Product product{left.data() + i * p.m * p.k,
                              p.k,
                              1,
                              right.data() + i * p.k * p.n,
                              p.n,
                              1,
                              result.data() + thread_index() * p.m * padded,
                              padded,
                              p.m,
                              p.n,
                              p.k};
        Real* transposed_b = nullptr;
        if (p.kind == Kind::scores) {
          product.row_b = 1;
          product.col_b = p.k;
          transposed_b = workspace.data() + thread_index() * p.k * padded;
        }
        if (multiply) {
          multiply(product);
        } else {
          simd::kernels().product(product, transposed_b);
        }
      }
    });
  } else if (p.kind == Kind::forward && p.m <= kRowBlock) {
    gemm_columns({left.data(), p.m, p.k, p.k, 1}, {right.data(), p.k, p.n, 1, p.k}, result.data(), p.n);
  } else if (p.kind == Kind::forward) {
    gemm_parallel({left.data(), p.m, p.k, p.k, 1}, {right.data(), p.k, p.n, 1, p.k}, result.data(), p.n);
  } else if (p.kind == Kind::input_gradient) {
    gemm_parallel({left.data(), p.m, p.k, p.k, 1}, {right.data(), p.k, p.n, p.n, 1}, result.data(), p.n);
  } else {
    gemm_reduce({left.data(), p.m, p.k, 1, p.m}, {right.data(), p.k, p.n, p.n, 1}, result.data(), p.n);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace hv
