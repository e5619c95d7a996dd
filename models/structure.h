// What each block of a model has, if blocks have sizes of their own; and what a search for such sizes has found. Both are for
// tables and pictures, which know no kind of model.
// Thread rule: plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::models {

// Of one subnetwork.
struct LayerSizes {
  struct Part {
    std::string name;                      // "hidden units"
    int64_t whole = 0;                     // that a block has from which nothing is cut
    std::vector<int64_t> sizes = {};       // by block
    std::vector<std::string> pieces = {};  // by block: what the size is the sum of, as "16 9 0"; empty: not told
    bool operator==(const Part&) const = default;
  };
  std::string axis = {}, value = {};  // "budget", "0.5"; empty if the model has no other subnetwork
  std::vector<Part> parts = {};
  bool operator==(const LayerSizes&) const = default;
};

// The values by which families of parts are ranked, over all blocks at once, and what each of some budgets would keep.
struct Ranking {
  struct Family {
    std::string name;  // as in LayerSizes
    std::vector<double> values = {};
    std::vector<double> thresholds = {};  // by budget: what is not below it stays
  };
  std::vector<Family> families = {};
  std::vector<LayerSizes> kept = {};  // by budget, of these families
};

}  // namespace hv::models
