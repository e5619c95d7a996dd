// The matrix products of a step, and how long they take alone: the lower bound that `bench --detail` compares a step with.
//
// Invariants
//   1. Operations note each product that the mathematics needs once. A product that is recomputed to save memory, as the scores
//      in attention's backward pass, is not noted again.
//   2. A product alone runs as in the step, with the same kernel, the same blocks and all threads, but without the operations
//      around it.
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
  int64_t m, n, k;
  int64_t count;  // how many such products: images times heads for the last two kinds, else 1
  bool operator==(const MatrixProduct&) const = default;
};

// From now on the noted products are appended to `list`. Null: they are not kept.
void note_products(std::vector<MatrixProduct>* list);
void note_product(const MatrixProduct& product);

// Seconds for all `count` products, run once. The operands were just written; the first call for a shape is slower, because
// memory is new to the caches.
double seconds_alone(const MatrixProduct& product);

}  // namespace hv
