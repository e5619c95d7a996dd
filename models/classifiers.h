// Separate classifiers: a linear head per width, or per band of neighbouring widths, in place of one head for all.
//
// HydraViT's paper has the variant, its published code has not (Haberer et al. 2024, table of design choices).
//
// Invariants
//   1. `shared` is one head, "head"; every width takes its part. `own` is a head per width. `bands:N` cuts the widths,
//      narrowest first, into N bands that differ by at most one width. What is left over goes to the first bands, because the
//      widest models are wanted for their accuracy, so they share with fewer. Such heads are "heads.0", "heads.1", ...
//   2. A band's head is as wide as the widest member. Narrower members take the part of it that they take of any other weight:
//      the leading columns (or trailing ones, nn/part.h), all rows, the whole bias.
//   3. The heads are drawn as a single one is, and start as its leading columns. So with the same seed all other weights are
//      those of a shared model, and so are the logits of a model whose widths use leading parts.
//   4. Cost::params of a subnetwork counts its own head alone; a file holds all (all_params).
// Thread rule: as nn/module.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/kinds.h"
#include "nn/layers.h"

namespace hv::models {

class Bands {
 public:
  // `text` is the entry "classifiers" of a configuration, untrusted; `widths`, narrowest first. Each width is `views`
  // subnetworks that follow one another (models/token_axes.h), and share a classifier.
  Bands(const std::string& text, std::vector<int64_t> widths, int64_t views = 1);

  int64_t heads() const { return std::ssize(last_); }
  int64_t head_of(int64_t subnet) const;  // of Subnet::id
  int64_t width(int64_t head) const { return widths_.at(static_cast<size_t>(last_.at(static_cast<size_t>(head)))); }
  int64_t full() const { return widths_.back(); }  // of the widest subnetwork
  int64_t width_of(int64_t subnet) const { return widths_.at(static_cast<size_t>(subnet / views_)); }  // of Subnet::id
  bool shared() const { return shared_; }
  std::vector<std::string> names() const;  // "head", or "heads.0", "heads.1", ...

  // What a subnetwork uses of any parameter of the model: as nn::live(), but nothing (an empty view) of another band's head.
  Tensor live(const nn::Parameter& parameter, const Subnet& subnet) const;

  void describe(PlainVit& vit, int64_t width) const;  // the classifiers of this width, or with 0 of the whole model

  // `outputs`: heads that a pass computes (CLS, DIST). Weights and biases of those that the widest subnetwork does not use:
  int64_t params_beyond_widest(int64_t classes, int64_t outputs) const;
  void describe(std::vector<Cost>& costs, int64_t classes, int64_t outputs) const;  // sets Cost::head and Cost::head_params

 private:
  bool shared_;
  std::vector<int64_t> widths_;
  int64_t views_;
  std::vector<int64_t> last_;  // per head: the widest width that uses it
};

// The heads of one kind (those of the CLS token, say).
class Classifiers : public nn::Module {
 public:
  Classifiers(const Bands& bands, int64_t classes, nn::Init& init);
  nn::Lazy operator()(const nn::Lazy& x, int64_t subnet) const;  // [.., p] -> [.., classes]
  // As what a model adds them: "head" or "heads"; with another kind, "head_dist" or "heads_dist".
  std::string child_name(const std::string& kind = "") const { return (bands_.shared() ? "head" : "heads") + kind; }

 private:
  Bands bands_;
  std::vector<std::unique_ptr<nn::Linear>> heads_;
};

// The entry of a configuration that users may choose: --classifiers.
Setting classifiers_setting();

// Which head serves which subnetworks, as a table whose first row holds the titles; empty if one serves all.
std::vector<std::vector<std::string>> classifier_table(const std::vector<Cost>& costs);

}  // namespace hv::models
