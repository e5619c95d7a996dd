#include "models/relevance.h"

#include <cmath>

#include "models/vit.h"
#include "nn/probe.h"

namespace hv::models {
namespace {

// Weights without gradients, in evaluation mode; afterwards both are as before.
class Frozen {
 public:
  explicit Frozen(nn::Module& module) : module_(module), training_(module.training()), parameters_(module.parameters()) {
    for (const nn::Parameter& p : parameters_) {
      wanted_.push_back(p.value.requires_grad());
      p.value.requires_grad_(false);
    }
    module_.eval();
  }
  ~Frozen() {
    for (size_t i = 0; i < wanted_.size(); ++i) parameters_[i].value.requires_grad_(wanted_[i]);
    module_.train(training_);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  nn::Module& module_;
  bool training_;
  std::vector<nn::Parameter> parameters_;
  std::vector<bool> wanted_;
};

// R - I of all blocks, [B, T, T0]: of each token that is left, over those that entered the first block.
Tensor flow_of(const nn::Probe& probe, int64_t batch) {
  const int64_t tokens = probe.tokens();
  Tensor self = identity(tokens).expand({batch, tokens, tokens}).contiguous();  // I: where each token began
  Tensor flow = Tensor::zeros(self.shape());
  for (const nn::Probe::Step& step : probe.steps()) {
    if (!step.map.defined()) {
      flow = gather_tokens(flow, step.picked, step.left);
      self = gather_tokens(self, step.picked, step.left);
    } else if (step.leaf.grad().defined() && step.map.size(1) > 0) {  // else the label does not depend on this map
      flow = flow + matmul(mean(relu(step.leaf.grad() * step.map), {1}), self + flow);
    }
  }
  return flow;
}

}  // namespace

Tensor relevance(ElasticModel& model, const Tensor& images, const Subnet& subnet, int64_t label) {
  HV_CHECK(grad_enabled(), "relevance: needs gradients, which are off here (NoGrad)");
  HV_CHECK(label >= 0 && label < model.classes(), "relevance: label ", label, " is not in 0 to ", model.classes() - 1);
  const Frozen frozen(model);
  const nn::Probe probe;
  const Tensor logits = model.forward(images, subnet);
  if (probe.steps().empty()) return {};
  if (logits.requires_grad()) sum(logits.select(1, label)).backward();

  const NoGrad off;
  const Tensor flow = flow_of(probe, images.size(0));
  const int64_t first = probe.first_tokens(), left = flow.size(1);
  const Tensor rows = probe.reads_patches() ? flow.slice(1, first, left) : flow.slice(1, 0, first);
  const Tensor heat = mean(rows, {1}).slice(1, first, probe.tokens()).contiguous();  // [B, N]
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(heat.size(1)))));
  Real* const values = heat.mutable_data();
  for (int64_t b = 0; b < heat.size(0); ++b) {
    double total = 0;
    for (int64_t i = 0; i < heat.size(1); ++i) total += static_cast<double>(values[b * heat.size(1) + i]);
    for (int64_t i = 0; i < heat.size(1) && total > 0; ++i) {
      Real& value = values[b * heat.size(1) + i];
      value = static_cast<Real>(static_cast<double>(value) / total);
    }
  }
  return heat.view({heat.size(0), side, side});
}

}  // namespace hv::models
