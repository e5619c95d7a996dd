// Checks an operation's forward and gradient against a naive twin: plain loops in double, written from the formula.
//
// For inputs of any layout and a RANDOM cotangent c, backward(c) must equal the central differences of sum(c * twin(x)). (With
// c = 1 the gradient of softmax is 0, so the check would show nothing.) The differences are those of the twin, in double. So
// the same check runs in the float and the double build; only the tolerance differs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/ops.h"

namespace hv::test {

struct Array {  // dense, row-major
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(const Shape& s, double fill = 0) : shape(s), values(static_cast<size_t>(numel(s)), fill) {}
  Array(const Shape& s, std::vector<double> v) : shape(s), values(std::move(v)) {}
  explicit Array(const Tensor& t) : shape(t.shape()), values(t.to_vector()) {}

  // The element at a (possibly longer) index, as broadcasting reads it: extra leading indices are ignored, size 1 repeats.
  double operator()(const Dims& index) const { return values[place(index)]; }
  double& operator()(const Dims& index) { return values[place(index)]; }

 private:
  size_t place(const Dims& index) const;
};

// body(index) for each index of `shape`, in row-major order.
template <class Body>
void for_index(const Shape& shape, const Body& body) {
  if (numel(shape) == 0) return;
  Dims index = Dims::filled(shape.size(), 0);
  for (;;) {
    body(static_cast<const Dims&>(index));
    int d = shape.size() - 1;
    for (; d >= 0; --d) {  // the next index, as an odometer counts
      if (++index.begin()[d] < shape.begin()[d]) break;
      index.begin()[d] = 0;
    }
    if (d < 0) return;
  }
}

using Tensors = std::vector<Tensor>;
using Arrays = std::vector<Array>;

// One row of the table: an operation, the shapes to try, and its twin.
struct OpRow {
  std::string name;
  std::vector<std::vector<Shape>> shapes;  // several sets; each with one shape per input
  std::function<Tensor(const Tensors&)> op;
  std::function<Array(const Arrays&)> twin;
  double low = -2, high = 2;                   // where the inputs lie
  std::vector<std::vector<Shape>> large = {};  // shapes that reach the parallel paths: one random direction only
};

// How the inputs lie in memory and how the gradient arrives.
struct Variant {
  std::string name = {};
  std::string layout = {};  // contiguous, sliced, transposed, permuted, strided, expanded, or mixed (another one per input)
  bool interior = false;    // inputs are results of an operation instead of leaves and leaf views
  bool upstream = false;    // the gradient arrives with a layout that is not contiguous
  bool twice = false;       // the operation is used twice in the graph, and backward runs twice
  bool aliased = false;     // inputs of equal shape are one tensor
  bool large = false;       // also used for large shapes
};
const std::vector<Variant>& variants();

struct Outcome {
  bool ran = false;     // false: the variant does not exist for these shapes (a transposed vector)
  std::string problem;  // empty: passed
};
Outcome check_case(const OpRow& row, const std::vector<Shape>& shapes, const Variant& variant, bool every_element);

}  // namespace hv::test
