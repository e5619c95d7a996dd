// The learned positions of a vision transformer, for each size that images are resized to: a table per size, as in SuperViT's
// code, or one table for the largest size, resized to the others as images are (cf. Beyer et al., "FlexiViT", CVPR 2023).
//
// Letters: S first tokens, N patches, T = S + N, E the full width, p the width at hand.
// Invariants
//   1. With one table the parameter is "pos_embed" [1, T, E]. With several they are "pos_embed_list.0", ..., rising by size.
//   2. First tokens are not resized.
// Thread rule: as nn/module.h.
#pragma once

#include <string>
#include <vector>

#include "models/vit.h"

namespace hv::models {

class Positions {
 public:
  Positions(const VitConfig& config, int64_t first_tokens);

  struct Table {
    std::string name;
    int64_t tokens;
  };
  std::vector<Table> tables() const;  // what the model has to add as parameters, in this order
  void add(const nn::Parameter& table);

  // [T, p], of Subnet::id at a width
  Tensor at(int64_t subnet, int64_t width, int64_t full) const;
  // In `parts` of all parameters (ElasticModel::active), the positions of that subnetwork alone, which may be resized ones.
  void resize(std::vector<Tensor>& parts, const std::vector<nn::Parameter>& all, int64_t subnet, int64_t width,
              int64_t full) const;
  // False: a table of another size. True for all other parameters.
  bool used(const nn::Parameter& parameter, int64_t subnet) const;
  void describe(std::vector<Cost>& costs) const;       // sets Cost::table and Cost::table_params, and corrects Cost::params
  void describe(PlainVit& vit, int64_t width) const;   // the table of its size; with 0 those of the whole model
  int64_t params_beyond_largest(int64_t width) const;  // numbers in the tables of other sizes than the largest

 private:
  int64_t table_of(int64_t subnet) const { return axes_.tables() ? axes_.size_index(subnet) : 0; }
  int64_t tokens(int64_t size) const { return first_ + (size / patch_) * (size / patch_); }

  TokenAxes axes_;
  int64_t patch_, first_;
  std::vector<nn::Parameter> tables_;
  // Per size [N of it, N of the largest]: its patches' positions are this times the table's. A product reads the table in
  // place and its gradient goes there, whereas resize_positions() copies the layout.
  std::vector<Tensor> resize_;
};

// A table [1, T, p] as one of so many tokens: its patches' positions are resized bilinearly, with aligned corners.
Tensor resize_positions(const Tensor& table, int64_t first_tokens, int64_t tokens);

}  // namespace hv::models
