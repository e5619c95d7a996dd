#include "tests/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random.h"

namespace hv::test {

size_t Array::place(const Dims& index) const {
  int64_t at = 0;
  const int64_t* i = index.end() - shape.size();
  for (const int64_t size : shape) {
    at = at * size + (size == 1 ? 0 : *i);
    ++i;
  }
  return static_cast<size_t>(at);
}

const std::vector<Variant>& variants() {
  using V = Variant;
  static const std::vector<Variant> all = {
      V{.name = "leaf", .layout = "contiguous", .large = true},
      V{.name = "leaf view sliced with offset", .layout = "sliced"},
      V{.name = "leaf view transposed", .layout = "transposed", .large = true},
      V{.name = "leaf view permuted", .layout = "permuted"},
      V{.name = "leaf view without unit stride", .layout = "strided"},
      V{.name = "leaf expanded", .layout = "expanded", .large = true},
      V{.name = "result", .layout = "contiguous", .interior = true},
      V{.name = "result sliced with offset", .layout = "sliced", .interior = true, .large = true},
      V{.name = "result transposed", .layout = "transposed", .interior = true},
      V{.name = "result permuted", .layout = "permuted", .interior = true},
      V{.name = "result without unit stride", .layout = "strided", .interior = true},
      V{.name = "result expanded", .layout = "expanded", .interior = true},
      V{.name = "another layout for each input", .layout = "mixed"},
      V{.name = "upstream gradient not contiguous", .layout = "contiguous", .upstream = true},
      V{.name = "upstream gradient not contiguous, result permuted", .layout = "permuted", .interior = true, .upstream = true},
      V{.name = "two graphs of one leaf view", .layout = "sliced", .twice = true},
      V{.name = "two uses of one result", .layout = "contiguous", .interior = true, .twice = true},
      V{.name = "aliased leaf", .layout = "contiguous", .aliased = true},
      V{.name = "aliased leaf view", .layout = "transposed", .aliased = true},
      V{.name = "aliased result", .layout = "contiguous", .interior = true, .aliased = true},
  };
  return all;
}

namespace {

constexpr bool kDouble = sizeof(Real) == sizeof(double);
constexpr double kForwardTolerance = kDouble ? 1e-11 : 2e-5;  // relative to the largest value
constexpr double kGradientTolerance = kDouble ? 1e-7 : 1e-4;  // in double the error is that of the differences
constexpr double kStep = 1e-6;

// The base from which a view of `shape` is cut; false if the layout does not exist for the shape.
bool base_shape(const std::string& layout, const Shape& shape, Shape& base) {
  base = shape;
  if (layout == "contiguous") return true;
  if (layout == "sliced") {
    for (int64_t& s : base) s += 3;
    return shape.size() >= 1;
  }
  if (layout == "transposed") {
    if (shape.size() >= 2) std::swap(base[-1], base[-2]);
    return shape.size() >= 2;
  }
  if (layout == "permuted") {
    std::reverse(base.begin(), base.end());
    return shape.size() >= 3;
  }
  if (layout == "strided") {
    base.push_back(3);
    return shape.size() >= 1 && shape.size() < kMaxRank;
  }
  const auto large = std::find_if(base.begin(), base.end(), [](int64_t s) { return s > 1; });  // expanded
  if (large == base.end()) return false;
  *large = 1;
  return true;
}

Tensor view_of(const std::string& layout, const Tensor& base, const Shape& shape) {
  Tensor t = base;
  if (layout == "sliced") {
    for (int d = 0; d < shape.size(); ++d) t = t.slice(d, 2, 2 + shape[d]);
  } else if (layout == "transposed") {
    t = t.transpose(-1, -2);
  } else if (layout == "permuted") {
    Dims reversed;
    for (int d = shape.size() - 1; d >= 0; --d) reversed.push_back(d);
    t = t.permute(reversed);
  } else if (layout == "strided") {
    t = t.select(-1, 1);
  } else if (layout == "expanded") {
    t = t.expand(shape);
  }
  return t;
}

// Values spread evenly over (low, high) in random order. All are distinct and none is near 0, so that no difference crosses a
// kink (abs, max).
Tensor spread(const Shape& shape, double low, double high, Stream& stream) {
  std::vector<double> values(static_cast<size_t>(numel(shape)));
  const double gap = (high - low) / static_cast<double>(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = low + (static_cast<double>(i) + 0.37) * gap;
    std::swap(values[i], values[stream.below(static_cast<uint32_t>(i + 1))]);
  }
  return Tensor::from(values, shape);
}

struct Input {
  Tensor leaf, view;
  std::vector<size_t> source;  // for each element of the view, which element of the leaf it shows
};

bool make_input(const Variant& variant, size_t number, const Shape& shape, const OpRow& row, Stream& stream, Input& input) {
  static const char* const mixed[] = {"transposed", "sliced", "strided", "contiguous", "permuted"};
  std::string layout = variant.layout == "mixed" ? mixed[number % 5] : variant.layout;
  Shape base;
  const bool fits = base_shape(layout, shape, base);
  if (!fits) base = shape;  // this input stays contiguous
  input.leaf = spread(base, row.low, row.high, stream).requires_grad_();
  if (!fits) layout = "contiguous";
  input.view = view_of(layout, variant.interior ? input.leaf.clone() : input.leaf, shape);
  const std::vector<double> indices = view_of(layout, Tensor::arange(numel(base)).view(base), shape).to_vector();
  input.source.assign(indices.begin(), indices.end());
  return fits;
}

double dot(const Array& c, const Array& y) {
  return std::inner_product(c.values.begin(), c.values.end(), y.values.begin(), 0.0);
}

// A tensor with the values of `c` that is not contiguous.
Tensor scattered(const Array& c) {
  Shape wide = c.shape;
  wide.push_back(2);
  const Tensor t = Tensor::zeros(wide).select(-1, 1);
  t.copy_(Tensor::from(c.values, c.shape));
  return t;
}

void run_backward(const Tensor& y, const Array& c, bool upstream) {
  if (!upstream) return y.backward(Tensor::from(c.values, c.shape));
  if (y.rank() < 2) return y.backward(scattered(c));
  const Tensor seed = Tensor::from(c.values, c.shape).transpose(0, -1);
  y.transpose(0, -1).backward(scattered(Array(seed)));
}

double largest(const std::vector<double>& values) {
  double most = 1;
  for (double v : values) most = std::max(most, std::abs(v));
  return most;
}

std::string compare(const std::string& what, const std::vector<double>& found, const std::vector<double>& expected,
                    double tolerance) {
  const double allowed = tolerance * largest(expected);
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!(std::abs(found[i] - expected[i]) <= allowed)) {
      return concat(what, "[", i, "] is ", found[i], ", expected ", expected[i], " within ", allowed);
    }
  }
  return {};
}

// Central differences of sum(c * twin) by each element of the leaf of input `which`; 0 for those outside every view.
std::vector<double> differences(const OpRow& row, const std::vector<Input>& inputs, size_t which, Arrays values, const Array& c,
                                double times) {
  const Tensor& leaf = inputs[which].leaf;
  std::vector<std::vector<double*>> shown(
      static_cast<size_t>(leaf.numel()));  // every place where an element of the leaf is seen
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].leaf.shared() != leaf.shared()) continue;
    for (size_t j = 0; j < inputs[i].source.size(); ++j) shown[inputs[i].source[j]].push_back(&values[i].values[j]);
  }
  std::vector<double> slopes(shown.size(), 0.0);
  for (size_t e = 0; e < shown.size(); ++e) {
    if (shown[e].empty()) continue;
    const double before = *shown[e][0];
    for (double* v : shown[e]) *v = before + kStep;
    const double up = dot(c, row.twin(values));
    for (double* v : shown[e]) *v = before - kStep;
    const double down = dot(c, row.twin(values));
    for (double* v : shown[e]) *v = before;
    slopes[e] = times * (up - down) / (2 * kStep);
  }
  return slopes;
}

Outcome run_case(const OpRow& row, const std::vector<Shape>& shapes, const Variant& variant, bool every_element) {
  Stream stream(7, Purpose::test, std::hash<std::string>{}(row.name) % 100000);
  std::vector<Input> inputs(shapes.size());
  Outcome out;
  bool shared = false;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto twin = std::find(shapes.begin(), shapes.begin() + static_cast<std::ptrdiff_t>(i), shapes[i]);
    const size_t like = static_cast<size_t>(twin - shapes.begin());
    if (variant.aliased && like < i) {
      inputs[i] = inputs[like];
      shared = out.ran = true;
    } else {
      out.ran |= make_input(variant, i, shapes[i], row, stream, inputs[i]);
    }
  }
  if (variant.aliased && !shared) out.ran = false;
  if (variant.layout == "mixed" && shapes.size() < 2) out.ran = false;
  if (!out.ran) return out;

  Tensors views;
  Arrays values;
  for (const Input& input : inputs) {
    views.push_back(input.view);
    values.emplace_back(input.view);
  }
  const Array expected = row.twin(values);
  const Tensor y = row.op(views);
  if (y.shape() != expected.shape) {
    out.problem = concat("shape ", y.shape(), ", expected ", expected.shape);
    return out;
  }
  out.problem = compare("forward", y.to_vector(), expected.values, kForwardTolerance);
  if (!out.problem.empty()) return out;

  Array c(y.shape());
  for (double& v : c.values) v = static_cast<double>(static_cast<Real>(stream.normal()));
  if (variant.twice && variant.interior) {  // two uses in one graph: their gradients meet at the inputs
    run_backward(add(y, row.op(views)), c, variant.upstream);
  } else {
    run_backward(y, c, variant.upstream);
    if (variant.twice) run_backward(row.op(views), c, variant.upstream);  // two graphs: the gradients of leaves add up
  }
  const double times = variant.twice ? 2 : 1;

  for (size_t i = 0; i < inputs.size() && every_element && out.problem.empty(); ++i) {
    const Tensor g = inputs[i].leaf.grad();
    const std::vector<double> zero(static_cast<size_t>(inputs[i].leaf.numel()), 0.0);
    out.problem = compare(concat("gradient of input ", i), g.defined() ? g.to_vector() : zero,
                          differences(row, inputs, i, values, c, times), kGradientTolerance);
  }
  if (every_element) return out;

  // One random direction d over all leaves: the slope of the loss along d is the dot product of the gradient with d.
  double slope = 0, norm = 0;
  Arrays up = values, down = values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor direction = Tensor::normal(inputs[i].leaf.shape(), 0, 1, stream);
    const std::vector<double> d = direction.to_vector(), g = inputs[i].leaf.grad().to_vector();
    for (size_t j = 0; j < d.size(); ++j) {
      slope += d[j] * g[j];
      norm += g[j] * g[j];
    }
    for (size_t j = 0; j < values[i].values.size(); ++j) {
      up[i].values[j] += kStep * d[inputs[i].source[j]];
      down[i].values[j] -= kStep * d[inputs[i].source[j]];
    }
  }
  const double found = times * (dot(c, row.twin(up)) - dot(c, row.twin(down))) / (2 * kStep);
  const double scale = std::sqrt(norm) + (kDouble ? 1e-3 : 0.1);  // neither side is exact enough for smaller gradients
  out.problem = compare("slope", {slope / scale}, {found / scale}, kDouble ? 1e-5 : 1e-3);
  return out;
}

}  // namespace

Outcome check_case(const OpRow& row, const std::vector<Shape>& shapes, const Variant& variant, bool every_element) {
  try {
    return run_case(row, shapes, variant, every_element);
  } catch (const Error& error) {
    return {true, concat("error: ", error.what())};
  }
}

}  // namespace hv::test
