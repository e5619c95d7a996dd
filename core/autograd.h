// Reverse-mode automatic differentiation.
//
// A Node is one recorded operation: an Edge per input, which leads to the input's gradient, and a closure that computes these
// gradients. backward() runs the nodes in reverse order of recording, without recursion, and frees each as soon as it has run.
//
// Invariants
//   1. A closure holds Saved values: memory and the version it had. Saved never holds a grad_fn, so a graph has no cycles.
//      Changing a saved tensor in place is an error that backward reports. Of a leaf's gradient, which backward itself changes,
//      a copy is saved.
//   2. The first gradient that reaches a result becomes its gradient; later ones are added. The gradients of leaves add up
//      until zero_grad(). A backward pass that throws leaves nothing in the results: what has not run can be used again. The
//      gradients of leaves may then hold a part of its sums.
//   3. A gradient sent to a leaf view is added to the leaf's gradient at the view's place; the rest stays as it was.
//   4. The gradient of a result is contiguous. It may share its memory with the gradient of another result, so a closure must
//      not change the `g` that it is given.
// Thread rule: one thread records and runs a graph; NoGrad is per thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace hv {

bool grad_enabled();

class NoGrad {  // no operation is recorded while one is alive
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

// A value kept for backward. An undefined tensor stays undefined.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor);
  const Tensor& get() const;  // an error if the memory changed since

 private:
  Tensor tensor_;
  uint64_t version_ = 0;
};

// Where to write a gradient: `at` has the input's shape; with `add` the kernel does at += value, else at = value.
struct Target {
  Tensor at;
  bool add;
};

// The connection from a node to one of its inputs.
class Edge {
 public:
  explicit Edge(const Tensor& input);
  explicit operator bool() const { return node_ || leaf_.defined(); }  // does the input want a gradient?
  void add(const Tensor& gradient) const;                              // accumulate; may keep `gradient` itself
  // Memory to write the gradient into directly, without a temporary.
  Target open() const;
  // The input's gradient, zeros if none arrived yet: for views, which fill a part of it.
  Tensor zeros_or_partial() const;
  const std::shared_ptr<Node>& node() const { return node_; }  // the node of the input; null for a leaf
  const Tensor& leaf() const { return leaf_; }                 // the leaf or leaf view; undefined for a result
  const Shape& shape() const { return shape_; }
  void release() {
    node_.reset();
    leaf_ = Tensor();
  }
  std::shared_ptr<Node> take_node() { return std::move(node_); }

 private:
  std::shared_ptr<Node> node_;
  Tensor leaf_;  // the leaf or leaf view
  Shape shape_;
};

using Edges = std::vector<Edge>;
using Backward = std::function<void(const Tensor& g, const Edges& in)>;

struct Node {
  const char* op = "";
  uint64_t number = 0;  // order of recording
  Edges inputs;
  Backward backward;
  Shape shape;  // of the result
  Tensor grad;  // what has arrived so far
  bool done = false;
  std::shared_ptr<Node> next_dying;  // for ~Node
  ~Node();
};

// Attaches `backward` to `output` if gradients are on and some input wants one. Returns output.
//     return record("exp", y, {x}, [y = Saved(y)](const Tensor& g, const Edges& in) { in[0].add(g * y.get()); });
Tensor record(const char* op, Tensor output, const std::vector<Tensor>& inputs, Backward backward);
// Would record() attach anything? Lets an op skip saving.
bool wants_grad(const std::vector<Tensor>& inputs);

int64_t live_nodes();  // number of nodes that exist now, for tests of leaks

}  // namespace hv
