// The naive twins: every operation as plain loops in double, straight from its formula. Slow and simple: the oracle of the
// tests.
#pragma once

#include "tests/gradcheck.h"

namespace hv::test {

using Twin = std::function<Array(const Arrays&)>;

// --- elementwise and reductions ---------------------------------------------------------------------------------------------
Twin unary(double (*f)(double));
Twin binary(double (*f)(double, double));  // broadcasts
Array reduced(const Array& x, const Dims& dims, bool keep, double start, double (*fold)(double, double));

// --- products, normalisation, attention -------------------------------------------------------------------------------------
double gelu(double x);
Array matmul(const Array& a, const Array& b);
Array linear(const Array& x, const Array& w, const Array* bias, const Array* residual);
Array softmax(const Array& x, int dim, bool log);
Array layer_norm(const Array& x, const Array& gain, const Array& shift, double eps);
// multiplier 0: 1 / sqrt(head_dim)
Array attention(const Array& qkv, int64_t head_dim, bool stacked = true, double multiplier = 0);
// Heads of unequal size: a row of qkv is (piece, head, {q, k, v}, sizes[piece][head]), a row of results (piece, head, size).
Array unequal_attention(const Array& qkv, const std::vector<std::vector<int64_t>>& sizes, double multiplier);

// --- moving data ------------------------------------------------------------------------------------------------------------
// y(i) = x(where(i)) for each index of `shape`: every view and every pick.
Array moved(const Array& x, const Shape& shape, const std::function<Dims(const Dims&)>& where);
Array cat(const Arrays& parts, int dim);

// --- convolution ------------------------------------------------------------------------------------------------------------
Array conv2d(const Array& x, const Array& w, const Array* bias, int64_t stride, int64_t padding);
enum class Pool { max, mean };
Array pool2d(Pool kind, const Array& x, int64_t kernel, int64_t stride, int64_t padding);

}  // namespace hv::test
