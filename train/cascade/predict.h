// Predicts pictures through a cascade, with a threshold or a mean budget of multiply-adds.
//
// Invariants
//   1. Outcomes come in the order of the pictures: one is held back until all before it are answered. Each has one prediction,
//      by the width that answered. A picture that cannot be read is an outcome with a problem and costs nothing of the budget.
//   2. With a budget, all pictures are in memory until finish(). More than the memory budget is an error (Fault::input).
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <variant>
#include <vector>

#include "train/cascade/spend.h"
#include "train/predict/predict.h"

namespace hv::train {

class CascadePredictor {
 public:
  struct When {  // when to look again
    double threshold = 0, mean_macs = 0;
    bool budget = false;  // by mean_macs; else by the threshold
  };
  using Take = std::function<void(const Outcome&)>;
  // `batch`: pictures in a pass. A budget below the cost of the first look is an error (Fault::usage) that names this cost.
  CascadePredictor(const Predictor& predictor, models::ElasticModel& model, const Cascade& cascade, const When& when,
                   int64_t batch, Take take);
  void look(std::span<const ImagePath> images);
  // Gives out what is held back. Returns a line: "7 answered by heads=2, 2 answered by heads=6; mean 4800000 MACs an image".
  std::string finish();

 private:
  void answer(const Answer& answer);
  void give_out();
  const Predictor& predictor_;
  Cascade cascade_;
  When when_;
  Take take_;
  std::vector<double> through_;
  std::unique_ptr<CascadeRunner> runner_;
  std::unique_ptr<Spender> spender_;
  std::vector<Outcome> outcomes_;  // of all pictures; those given out are empty
  std::vector<size_t> position_;   // by the number of a picture among those that could be read
  std::vector<int64_t> answered_;  // by stage
  size_t next_ = 0;                // the first that is not given out
};

// Out of the options --threshold and --budget-macs. What does not go together with a cascade is an error (Fault::usage).
CascadePredictor::When when_again(const std::set<std::string>& given, const std::string& threshold_text,
                                  const std::string& budget_text);

}  // namespace hv::train
