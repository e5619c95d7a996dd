// What a report says of findings is made from this: one pass over test pictures, at a few subnetworks.
//
// Invariants
//   1. At most kJudged pictures, a sample of the test set (data/sample.h) if it has more; fewer if they would take too long or
//      too much memory. Not even one: an error (Fault::input).
//   2. Scores are those of train/scores, intervals included: the same that `eval` gives for the same pictures.
// Thread rule: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/scores/scorer.h"
#include "train/state/load.h"

namespace hv::train {

inline constexpr int64_t kJudged = 3000;

struct Judged {
  std::vector<std::string> labels, keys;                 // keys: the labels in names of metrics (train/scores/findings.h)
  std::vector<int64_t> pictures;                         // their numbers in the test set
  std::vector<std::vector<uint8_t>> targets;             // [label][picture]
  std::vector<std::vector<double>> widest, narrowest;    // logits [label][picture]; the same where there is one subnetwork
  std::vector<Result> results;                           // by live weights, of the narrowest first
  std::optional<Result> averaged;                        // of the widest by averaged weights; empty if there are none
  int64_t patients = 0;                                  // of the pictures; 0: the data name none
  int64_t validation = 0;                                // pictures that chose the thresholds; 0: F1 is not measured
  const Result& best() const { return results.back(); }  // of the widest
  double of(const Result& result, const std::string& what, size_t label, const std::string& end = "") const {
    return result.metric(what + '_' + keys[label] + end);
  }
};

// `validation` may be null; more than kJudged of its pictures are not used at all, because a threshold of a few differs from
// what `eval` chooses. `run`: where averaged weights are read.
Judged judge(Loaded& loaded, const OpenFolder& run, const std::vector<models::Subnet>& widths, const data::Dataset& test,
             const data::Dataset* validation);

// At most that many labels, those with most positive pictures, in their own order.
std::vector<size_t> most_frequent(const Judged& judged, size_t most);
std::vector<std::vector<double>> probabilities_of(const std::vector<std::vector<double>>& logits);

}  // namespace hv::train
