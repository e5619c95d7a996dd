// Module: parameters with names, children with names, training mode.
//
// Invariants
//   1. A module owns its parameters; names join with dots as in timm: "blocks.0.attn.qkv.weight".
//   2. parameters() lists them in the order they were registered, parents before children.
//   3. No module stores a width. The activation carries it (idea 2): an elastic layer reads it from its input.
//   4. Training mode is set on the whole tree; only Dropout and DropPath read it.
// Thread rule: one thread at a time uses a module.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/ops.h"

namespace hv::nn {

struct Parameter {
  std::string name;
  Tensor value;  // requires_grad, contiguous
  // Which dimensions shrink with the width: at width p of E an elastic dimension of size n uses n * p / E entries (nn/part.h).
  std::vector<bool> elastic;
  bool decay = true;  // weight decay; off for biases, norms, CLS and positions (timm's convention)
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  std::vector<Parameter> parameters() const;  // of the whole tree, names with dots
  Tensor parameter(const std::string& name) const;
  int64_t parameter_count() const;
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  void zero_grad() const;
  // One line per parameter: name, shape, count; a total.
  std::string summary() const;

 protected:
  Parameter add_parameter(const std::string& name, Tensor value, std::vector<bool> elastic = {}, bool decay = true);
  template <class Child>  // a child without a name: its names stay as they are
  Child& add_child(const std::string& name, Child& child) {
    children_.emplace_back(name, &child);
    return child;
  }

 private:
  void collect(const std::string& prefix, std::vector<Parameter>& out) const;
  std::vector<Parameter> own_;
  std::vector<std::pair<std::string, Module*>> children_;
  bool training_ = true;
};

// The seed and step that Dropout and DropPath draw from while it is alive (idea 5). Its draws are numbered 0, 1, 2, ...
class NoiseScope {
 public:
  NoiseScope(uint64_t seed, uint64_t step);
  ~NoiseScope();
  NoiseScope(const NoiseScope&) = delete;
  NoiseScope& operator=(const NoiseScope&) = delete;

 private:
  NoiseScope* outer_;  // scopes nest
  NoiseKey next_;
  friend NoiseKey next_noise_key();
};
NoiseKey next_noise_key();  // of the next draw inside the innermost scope

}  // namespace hv::nn
