// ElasticModel: all that training, evaluation, benchmark and command line know of a model.
//
// An elastic model is one set of weights that can run as several subnetworks. For HydraViT they are widths, narrowest first.
// Invariants
//   1. subnets() never changes; the last one is the full model.
//   2. active(subnet)[i] is the part of parameters()[i] that the subnetwork uses: a leaf view, empty if it uses none.
//   3. config() is enough to build the same architecture again (models/kinds.h).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/module.h"

namespace hv::models {

// One number that describes a subnetwork: {"heads", 5}, {"dim", 160}.
struct Axis {
  std::string name;  // the column of a table and the key of a JSON object
  double value = 0;
  bool chosen = true;  // one of those that tell subnetworks apart; false: it follows from them, and only full tables show it
  int digits = 0;      // the most digits after the decimal point: tables keep space for them
};

struct Subnet {
  std::string name;   // "heads5": unique in its model, safe in file and column names
  std::string label;  // "heads=5": for people; keys of stored metrics end in it, so it stays as it is
  int64_t id = 0;     // index in subnets()
  std::vector<Axis> axes;
  std::optional<double> on(const std::string& axis) const;  // its value on the axis of this name; nothing if it has none
};

using Config = std::map<std::string, std::string>;

// What one subnetwork makes of a batch that other subnetworks may look at again (ElasticModel::look).
struct Look {
  Tensor logits;  // [B, classes]
  Tensor memory;  // [B, ..]: what a later look at these images needs; undefined if it needs nothing
};

class ElasticModel : public nn::Module {
 public:
  virtual const std::vector<Subnet>& subnets() const = 0;
  // images [B, C, H, W], normalised -> logits [B, classes]
  virtual Tensor forward(const Tensor& images, const Subnet& subnet) = 0;
  // What training teaches: the logits of each classifier, if a model has several. forward() says how they decide together.
  virtual std::vector<Tensor> outputs(const Tensor& images, const Subnet& subnet) { return {forward(images, subnet)}; }
  // One look of several at the same images, narrowest subnetwork first. `before` is the previous look, or an empty one: its
  // rows are these images. Logits are those of forward().
  virtual Look look(const Tensor& images, const Subnet& subnet, const Look& before) {
    return (void)before, Look{forward(images, subnet), {}};
  }
  // True if each subnetwork goes on from the look of the one before it. So it can look only after all narrower ones, and
  // macs(subnet) includes theirs. False: a subnetwork looks at the images as if it was the first.
  virtual bool continues() const { return false; }
  virtual std::vector<Tensor> active(const Subnet& subnet) const = 0;
  virtual int64_t params(const Subnet& subnet) const = 0;
  virtual int64_t macs(const Subnet& subnet) const = 0;  // of one image: matmuls, convolution and attention products
  // True if classes do not exclude each other: sigmoid, not softmax, makes probabilities of logits.
  virtual bool independent() const { return false; }
  // Of each class the learned share, 0 to 1, of a part of the model that is for this class alone, where the image does not
  // change it. Empty if there is no such number.
  virtual std::vector<double> mixing() const { return {}; }
  // Which parts of the image the decision draws on: [B, rows, cols] of shares that sum to 1. Undefined if the model cannot
  // tell.
  virtual Tensor rollout(const Tensor& images, const Subnet& subnet) { return (void)images, (void)subnet, Tensor(); }
  // Which parts of the image are still looked at after each choice of tokens: [B, rows, cols] of 1 or 0. Empty if the
  // subnetwork drops none.
  virtual std::vector<Tensor> survivors(const Tensor& images, const Subnet& subnet) {
    return (void)images, (void)subnet, std::vector<Tensor>{};
  }
  // A stand-alone model with the same logits, holding only this subnetwork's weights.
  virtual std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const = 0;
  virtual Config config() const = 0;
  virtual int64_t classes() const = 0;
  virtual int64_t image_size() const = 0;
  // The last subnetwork whose first axis has this value: of this width, the one of all tokens. An error (Fault::usage) lists
  // the known ones.
  const Subnet& subnet(double first_axis) const;
};

// Of the classes, from logits [.., classes]: softmax, or sigmoid if they do not exclude each other.
Tensor probabilities(const ElasticModel& model, const Tensor& logits);

}  // namespace hv::models
