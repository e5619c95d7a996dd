#include "core/autograd.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>
#include <utility>

namespace hv {
namespace {

thread_local bool recording = true;
std::atomic<uint64_t> next_number{1};
std::atomic<int64_t> alive{0};

// Only `t` refers to these elements, so they may be changed in place.
bool sole_owner(const Tensor& t) { return t.shared().use_count() == 1 && t.shared()->storage.use_count() == 1; }

Tensor private_copy(const Tensor& t) { return sole_owner(t) ? t : t.clone(); }

}  // namespace

bool grad_enabled() { return recording; }
NoGrad::NoGrad() : before_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = before_; }
int64_t live_nodes() { return alive; }

// --- Saved ------------------------------------------------------------------------------------------------------------------

Saved::Saved(const Tensor& tensor) {
  if (!tensor.defined()) return;
  tensor_ = tensor.detach();
  if (tensor_.shared()->storage->is_gradient()) tensor_ = tensor_.clone();
  version_ = tensor_.shared()->storage->version();
}

const Tensor& Saved::get() const {
  if (!tensor_.defined()) return tensor_;
  const uint64_t now = tensor_.shared()->storage->version();
  HV_CHECK(now == version_, "backward: a tensor needed for the gradient was changed in place: ", tensor_.shape(), ", version ",
           now, ", expected ", version_, "; change a clone() instead");
  return tensor_;
}

// --- Edge -------------------------------------------------------------------------------------------------------------------

namespace {

// The part of the leaf's gradient that belongs to this leaf or leaf view. The gradient is created, as zeros, on the first call.
Tensor leaf_gradient(const Tensor& view) {
  const auto& leaf = view.shared()->leaf ? view.shared()->leaf : view.shared();
  if (!leaf->grad) {
    const Tensor zeros = Tensor::zeros(leaf->shape);
    zeros.shared()->storage->mark_gradient();
    leaf->grad = zeros.shared();
  }
  return make_view(Tensor(leaf->grad), view.shape(), view.strides(), view.offset());
}

}  // namespace

Edge::Edge(const Tensor& input) {
  if (!input.requires_grad()) return;
  shape_ = input.shape();
  if (input.is_leaf()) {
    leaf_ = input;
  } else {
    node_ = input.shared()->grad_fn;
  }
}

void Edge::add(const Tensor& gradient) const {
  if (!*this) return;
  HV_CHECK(gradient.shape() == shape_, "backward: gradient of shape ", gradient.shape(), " for a tensor of shape ", shape_);
  if (leaf_.defined()) {
    leaf_gradient(leaf_).add_(gradient);
  } else if (!node_->grad.defined()) {
    node_->grad = gradient.contiguous();
  } else {
    node_->grad = private_copy(node_->grad);
    node_->grad.add_(gradient);
  }
}

Target Edge::open() const {
  if (leaf_.defined()) return {leaf_gradient(leaf_), true};
  const bool first = !node_->grad.defined();
  node_->grad = first ? Tensor::empty(shape_) : private_copy(node_->grad);
  return {node_->grad, !first};
}

Tensor Edge::zeros_or_partial() const {
  if (leaf_.defined()) return leaf_gradient(leaf_);
  node_->grad = node_->grad.defined() ? private_copy(node_->grad) : Tensor::zeros(shape_);
  return node_->grad;
}

// --- Node -------------------------------------------------------------------------------------------------------------------

bool wants_grad(const std::vector<Tensor>& inputs) {
  return recording && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requires_grad(); });
}

Tensor record(const char* op, Tensor output, const std::vector<Tensor>& inputs, Backward backward) {
  if (!wants_grad(inputs)) return output;
  auto node = std::make_shared<Node>();
  ++alive;
  node->op = op;
  node->number = next_number++;
  node->inputs.reserve(inputs.size());
  for (const Tensor& t : inputs) node->inputs.emplace_back(t);
  node->backward = std::move(backward);
  node->shape = output.shape();
  output.shared()->requires_grad = true;
  output.shared()->grad_fn = std::move(node);
  return output;
}

// A long chain of nodes must not be destroyed recursively: each node moves those of its inputs that nobody else holds to a
// list, which the outermost call empties. The list runs through the nodes, because a destructor must not allocate.
Node::~Node() {
  --alive;
  thread_local std::shared_ptr<Node> pending;
  thread_local bool draining = false;
  for (Edge& edge : inputs) {
    auto node = edge.take_node();
    if (!node || node.use_count() > 1) continue;
    node->next_dying = std::exchange(pending, nullptr);
    pending = std::move(node);
  }
  if (draining) return;
  draining = true;
  while (pending) {
    const auto node = std::exchange(pending, nullptr);
    pending = std::move(node->next_dying);
  }
  draining = false;
}

// --- backward ---------------------------------------------------------------------------------------------------------------

namespace {

void check_alive(const Node& node) {
  HV_CHECK(!node.done, "backward: the graph was already used and freed at '", node.op, "'; run the forward pass again");
}

std::vector<std::shared_ptr<Node>> reachable(const std::shared_ptr<Node>& root) {
  std::vector<std::shared_ptr<Node>> found{root};
  std::unordered_set<Node*> seen{root.get()};
  check_alive(*root);
  for (size_t i = 0; i < found.size(); ++i) {
    const Edges& inputs = found[i]->inputs;  // the node stays put while `found` grows
    for (const Edge& edge : inputs) {
      if (!edge.node() || !seen.insert(edge.node().get()).second) continue;
      check_alive(*edge.node());
      found.push_back(edge.node());
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a->number < b->number; });
  return found;
}

// The nodes that a backward pass has still to run, in order. If one throws, what has arrived at the others must not reach a
// later pass.
struct Unfinished {
  std::vector<std::shared_ptr<Node>> nodes;
  ~Unfinished() {
    for (const auto& node : nodes) node->grad = Tensor();
  }
};

}  // namespace

void Tensor::backward() const {
  HV_CHECK(numel() == 1, "backward: a non-scalar needs a seed gradient: ", shape(),
           "; reduce it (sum, mean) or pass one of its shape");
  backward(full(shape(), 1));
}

void Tensor::backward(const Tensor& gradient) const {
  HV_CHECK(requires_grad(), "backward: the tensor does not depend on anything that requires a gradient: ", shape());
  HV_CHECK(gradient.shape() == shape(), "backward: seed of shape ", gradient.shape(), " for a tensor of shape ", shape());
  NoGrad off;
  const Tensor seed = gradient.detach().clone();  // it may show a gradient that this pass writes
  if (is_leaf()) return Edge(*this).add(seed);

  Unfinished order{reachable(impl().grad_fn)};
  impl().grad_fn->grad = seed;
  // Inputs were recorded before their users, so descending numbers meet a node only when its gradient is complete.
  while (!order.nodes.empty()) {
    const auto& node = order.nodes.back();
    if (const Tensor g = std::move(node->grad); g.defined()) node->backward(g, node->inputs);
    node->grad = Tensor();
    node->backward = nullptr;  // frees what was saved
    for (Edge& edge : node->inputs) edge.release();
    node->done = true;
    order.nodes.pop_back();
  }
}

Tensor Tensor::grad() const {
  HV_CHECK(is_leaf(), "grad: only leaves keep a gradient: this is the result of '", impl().grad_fn->op, "'");
  const auto& leaf = impl().leaf ? impl().leaf : impl_;
  if (!leaf->grad) return {};
  return make_view(Tensor(leaf->grad), shape(), strides(), offset());
}

void Tensor::zero_grad() const {
  if (const Tensor g = grad(); g.defined()) {
    NoGrad off;
    g.fill_(0);
  }
}

const Tensor& Tensor::requires_grad_(bool on) const {
  HV_CHECK(is_leaf() && !impl().leaf, "requires_grad_: only a leaf can be a parameter, not a result or a view");
  HV_CHECK(!on || (is_contiguous() && offset() == 0), "requires_grad_: a parameter must be contiguous: ", shape(),
           "; clone() it");
  impl().requires_grad = on;
  return *this;
}

}  // namespace hv
