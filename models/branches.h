// Branches: a classifier of findings that do not exclude each other. Each label has a branch of its own, one aggregated head
// sees all labels, and a learned number per label mixes the two.
//
// From "HydraViT: Adaptive Multi-Branch Transformer for Multi-Label Disease Classification from Chest X-ray Images"
// (arXiv 2310.06143) comes the idea: a branch per label, one aggregated branch, learned weights. Its published code is an empty
// file; sizes, formulas and the losses are ours (models/README.md).
//
// Letters: B images, p the width of a subnetwork, E the full width, K labels, h hidden units of a branch.
//     f = feature of the backbone [B, p]                             (its CLS token, or the mean of its patches)
//     a = classifier of the backbone on f [B, K]                     the aggregated head
//     b_k = w2_k . gelu(W1_k f + c_k) + d_k [B, K]                   the branch of label k
//     P_k = g_k sigmoid(b_k) + (1 - g_k) sigmoid(a_k)                g = sigmoid(gate), a number per label, or a map of f
// forward() gives the logits of P. So sigmoid(forward()) are the probabilities of the labels.
// Invariants
//   1. The backbone is a whole model of another kind, with its own names of parameters; its classifier is the aggregated head.
//      It is as elastic as it ever was. A branch reads the leading p columns of its W1.
//   2. With `branches` off there is the aggregated head alone: the plain baseline.
// Thread rule: as nn/module.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/backbone.h"
#include "models/kinds.h"

namespace hv::models {

struct BranchesConfig {
  Config backbone;                // a configuration of another kind
  bool branches = true;           // false: the aggregated head alone
  std::string mixing = "scalar";  // gate: a learned number per label; "input": a linear map of the feature
  std::string feature = "cls";    // or "mean": over the patches
  int64_t branch_hidden = 16;     // h
};
// Flat: the backbone's entries, its kind as "backbone", and these. What a list of bounds cannot say is checked, too.
Config to_config(const BranchesConfig& config);
BranchesConfig branches_from_config(const Config& config);
std::vector<Cost> costs_of(const BranchesConfig& config);
Kind branches_kind();  // presets branches-nano, branches-cxr; and of other backbones branches-scala-nano, ...

class Branches : public ElasticModel {
 public:
  Branches(const BranchesConfig& config, uint64_t seed);

  Tensor forward(const Tensor& images, const Subnet& subnet) override;  // logits of the mixture [B, K]
  // Logits of the mixture, the branches, the aggregated head; without branches of the last alone.
  std::vector<Tensor> outputs(const Tensor& images, const Subnet& subnet) override;
  bool independent() const override { return true; }
  // The learned share of the branches, g [K], where it does not depend on the image; else empty.
  std::vector<double> mixing() const override;

  const std::vector<Subnet>& subnets() const override { return model_->subnets(); }
  std::vector<Tensor> active(const Subnet& subnet) const override;
  int64_t params(const Subnet& subnet) const override { return costs_.at(static_cast<size_t>(subnet.id)).params; }
  int64_t macs(const Subnet& subnet) const override { return costs_.at(static_cast<size_t>(subnet.id)).macs; }
  Tensor rollout(const Tensor& images, const Subnet& subnet) override { return model_->rollout(images, subnet); }
  std::vector<Tensor> survivors(const Tensor& images, const Subnet& subnet) override {
    return model_->survivors(images, subnet);
  }
  std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const override;
  Config config() const override { return to_config(config_); }
  int64_t classes() const override { return model_->classes(); }
  int64_t image_size() const override { return model_->image_size(); }

 private:
  BranchesConfig config_;
  std::vector<Cost> costs_;
  std::unique_ptr<ElasticModel> model_;
  Backbone* backbone_;  // the same object
  nn::Parameter fc1_, fc1_bias_, fc2_, fc2_bias_, gate_, gate_bias_;
};

}  // namespace hv::models
