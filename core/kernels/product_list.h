// The matrix products a step is made of, and how long they take alone: the floor that `bench --detail` holds a step against.
//
// Invariants
//   1. Operations note what the mathematics needs, once each: not the scores that attention's backward makes again.
//   2. A product alone runs as in the step: the same kernel, the same blocks, all threads; only what stands around it is
//      missing.
// Thread rule: call from the thread that runs the step.
#pragma once

#include <cstdint>
#include <vector>

namespace hv {

struct MatrixProduct {
  enum class Kind {
    forward,          // Y [m, n] = X [m, k] W^T, W [n, k]
    input_gradient,   // dX [m, n] = G [m, k] W [k, n]
    weight_gradient,  // dW [m, n] = G^T X, G [k, m], X [k, n]
    scores,           // [m, n] = Q [m, k] K^T of one head
    mixture           // [m, n] = P [m, k] V of one head
  };
  Kind kind;
  int64_t m, n, k, count;  // `count` of them: heads times images
  bool operator==(const MatrixProduct&) const = default;
};

// From here on products are added to `list`; null: to none.
void note_products(std::vector<MatrixProduct>* list);
void note_product(const MatrixProduct& product);

// Seconds of one run of all `count` of them on operands that lie in memory; the first call for a shape pays for cold caches.
double seconds_alone(const MatrixProduct& product);

}  // namespace hv
