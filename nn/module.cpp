#include "nn/module.h"

#include <iomanip>
#include <sstream>

namespace hv::nn {

Parameter Module::add_parameter(const std::string& name, Tensor value, std::vector<bool> elastic, bool decay) {
  HV_CHECK(elastic.empty() || static_cast<int>(elastic.size()) == value.rank(), "module: '", name, "' of shape ", value.shape(),
           " with ", elastic.size(), " elastic flags");
  value.requires_grad_();
  own_.push_back({name, std::move(value), std::move(elastic), decay});
  return own_.back();
}

void Module::collect(const std::string& prefix, std::vector<Parameter>& out) const {
  for (const Parameter& p : own_) {
    out.push_back(p);
    out.back().name = prefix + p.name;
  }
  for (const auto& [name, child] : children_) child->collect(name.empty() ? prefix : prefix + name + ".", out);
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> out;
  collect("", out);
  return out;
}

Tensor Module::parameter(const std::string& name) const {
  for (const Parameter& p : parameters()) {
    if (p.name == name) return p.value;
  }
  fail(Fault::failure, "module: no parameter named '", name, "'; summary() lists them");
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const Parameter& p : parameters()) count += p.value.numel();
  return count;
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& [name, child] : children_) child->train(on);
}

void Module::zero_grad() const {
  for (const Parameter& p : parameters()) p.value.zero_grad();
}

std::string Module::summary() const {
  std::ostringstream out;
  for (const Parameter& p : parameters()) {
    std::ostringstream shape;
    shape << p.value.shape();
    out << std::left << std::setw(34) << p.name << std::setw(20) << shape.str() << std::right << std::setw(12)
        << p.value.numel() << '\n';
  }
  out << std::left << std::setw(54) << "total" << std::right << std::setw(12) << parameter_count() << '\n';
  return out.str();
}

// --- noise ------------------------------------------------------------------------------------------------------------------

namespace {

thread_local NoiseScope* innermost = nullptr;

}  // namespace

NoiseScope::NoiseScope(uint64_t seed, uint64_t step) : outer_(innermost), next_{seed, step, 0} { innermost = this; }
NoiseScope::~NoiseScope() { innermost = outer_; }

NoiseKey next_noise_key() {
  HV_CHECK(innermost,
           "dropout: no NoiseScope is alive, so there is no seed to draw from: make one for each step, or call eval()");
  const NoiseKey key = innermost->next_;
  ++innermost->next_.index;
  return key;
}

}  // namespace hv::nn
