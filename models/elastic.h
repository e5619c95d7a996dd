// ElasticModel: all that training, evaluation, benchmark and command line know of a model.
//
// An elastic model is one set of weights that can run as several subnetworks. For HydraViT they are widths, narrowest first.
// Invariants
//   1. subnets() never changes; the last one is the full model.
//   2. active(subnet)[i] is the part of parameters()[i] that the subnetwork uses: a leaf view, empty if it uses none.
//   3. config() is enough to build the same architecture again (make_model).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"

namespace hv::models {

struct Subnet {
  std::string label;  // "heads=5"
  int64_t key;        // what distinguishes it: the number of heads
  int64_t dim;        // embedding width
};

using Config = std::map<std::string, std::string>;

class ElasticModel : public nn::Module {
 public:
  virtual const std::vector<Subnet>& subnets() const = 0;
  // images [B, C, H, W], normalised -> logits [B, classes]
  virtual Tensor forward(const Tensor& images, const Subnet& subnet) = 0;
  virtual std::vector<Tensor> active(const Subnet& subnet) const = 0;
  virtual int64_t params(const Subnet& subnet) const = 0;
  virtual int64_t macs(const Subnet& subnet) const = 0;  // of one image: matmuls, convolution and attention products
  // Which parts of the image the decision draws on: [B, rows, cols] of shares that sum to 1; undefined where a model cannot
  // tell.
  virtual Tensor rollout(const Tensor& images, const Subnet& subnet) { return (void)images, (void)subnet, Tensor(); }
  // A stand-alone model with the same logits, holding only this subnetwork's weights.
  virtual std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const = 0;
  virtual Config config() const = 0;
  virtual int64_t classes() const = 0;
  virtual int64_t image_size() const = 0;
  const Subnet& subnet(int64_t key) const;  // an error that lists the known ones
};

// Every model that has a name: "mlp" (models/mlp_classifier.h) and HydraViT's presets. Another name is a usage error that lists
// them.
const std::vector<std::string>& model_names();
Config named_model(const std::string& name, int64_t classes);

// What each subnetwork costs, narrowest first, by formula: no model is built. MACs are of one image; macs_with_norms counts
// LayerNorm too, at 5 a number, as fvcore and timm's tables do.
struct Cost {
  Subnet subnet;
  int64_t params = 0, macs = 0, macs_with_norms = 0;
};
std::vector<Cost> costs(const Config& config);

// From config()["model"] and its other entries; unknown or missing entries are errors. Weights are initialised from `seed`.
std::unique_ptr<ElasticModel> make_model(const Config& config, uint64_t seed);

}  // namespace hv::models
