// The axes of tokens: how many of them a subnetwork looks at. An image may be resized before it is cut into patches, and some
// blocks may go on with only those tokens that matter most (nn::Block::prune).
// Lin et al., "Super Vision Transformer", IJCV 2023 (arXiv 2205.11397), sections 3.1 and 3.2.
//
// Letters: S first tokens (CLS, ...), N patches, T = S + N tokens.
// Invariants
//   1. A model of W widths, sizes and rates has W * views() subnetworks: by width, then size, then rate, each rising. So the
//      last one is the full model.
//   2. A pruning block that gets T tokens goes on with the S first ones and the ceil(rate * T) best others, or all others if
//      they are fewer. At rate 1 nothing is pruned.
//   3. Axis "px" tells subnetworks apart if the configuration names sizes, "keep" if it names rates.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/kinds.h"

namespace hv::models {

// The entries of a configuration, as text. These defaults are a model of one view: images of their own size, all tokens.
struct TokenConfig {
  std::string sizes;                 // pixels per side, as "16,24,32"; empty: the size of the images
  std::string keep;                  // rates, as "0.5,0.7,1"; empty: 1
  std::string prune = "quarters";    // blocks, from 0, that prune, as "3,6,9"; quarters: those at 1/4, 1/2 and 3/4 of the depth
  std::string positions = "tables";  // a learned table per size, or "resized": one for the largest size, resized to others
};

template <class C, class Visit>
void visit_tokens(C& c, Visit& visit) {
  visit.optional("sizes", c.sizes, "");
  visit.optional("keep", c.keep, "");
  visit.optional("prune", c.prune, "quarters");
  visit.optional("positions", c.positions, "tables");
}

class TokenAxes {
 public:
  // Untrusted: what is wrong is an error (Fault::input) that begins with "model: sizes: ", "model: keep: ", ...
  TokenAxes(const TokenConfig& config, int64_t image, int64_t patch, int64_t depth);

  int64_t views() const { return std::ssize(sizes_) * std::ssize(rates_); }
  View view(int64_t subnet) const;                                       // of Subnet::id
  int64_t width(int64_t subnet) const { return subnet / views(); }       // index of its width
  int64_t size_index(int64_t subnet) const;                              // of its size, in sizes()
  const std::vector<int64_t>& sizes() const { return sizes_; }           // rising
  bool tables() const { return tables_ && sizes_.size() > 1; }           // a table per size
  bool prunes(int64_t block) const;                                      // at rates below 1
  const std::vector<int64_t>& pruning_blocks() const { return prune_; }  // rising

  // The subnetworks of a model whose widths are `widths`, with the axes of invariant 3 behind the width's first axis.
  std::vector<Subnet> with_views(const std::vector<Subnet>& widths) const;

 private:
  std::vector<int64_t> sizes_, prune_;
  std::vector<double> rates_;
  bool tables_, names_sizes_, names_rates_;
};

// Of `tokens` tokens, `first` of them first ones: how many of the others stay at this rate (invariant 2).
int64_t others_kept(int64_t tokens, int64_t first, double keep);

// The configuration of one view alone.
TokenConfig token_config_of(const TokenConfig& config, const View& view);

std::vector<Setting> token_settings();  // --sizes, --keep, --prune, --positions

}  // namespace hv::models
