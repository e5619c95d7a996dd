// The seam between the training loop and a way of training. A recipe says which subnetworks a step runs and runs them; the
// loop, the checkpoint, the log and the report stay as they are. A new recipe is a file in recipes/ and a row in
// recipes/table.cpp.
//
// Invariants
//   1. A recipe keeps no state between steps; its random numbers depend on (seed, step) alone. So a run can be resumed exactly.
//   2. Only one graph is in memory, however many passes a step has: `learn` runs backward, frees the graph, and returns.
//   3. The gradients of the passes of a step are added; the weights change once, after the last pass.
// Thread rule: one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/ops.h"
#include "data/loader.h"
#include "models/elastic.h"
#include "train/options.h"

namespace hv::train {

struct Term {
  models::Subnet subnet;
  Tensor loss;  // one value
};

// A recipe calls it once per pass, with the loss and the subnetwork that computed it. If several subnetworks share the graph of
// a pass, each has a loss, and their mean is what the pass learns. Each loss is checked (one that is not finite ends the step
// with Fault::diverged) and logged, the mean is differentiated. A recipe should not keep tensors of a pass in variables after
// the call: they would stay in memory during the next pass.
class Learn {
 public:
  // `take`: a function of (subnet, loss), for passes of one loss, or of all terms.
  template <class Take>
  requires(!std::is_same_v<std::remove_cvref_t<Take>, Learn>) Learn(Take take) : take_(of_terms(std::move(take))) {}
  void operator()(const models::Subnet& subnet, const Tensor& loss) const { take_({{subnet, loss}}); }
  void operator()(const std::vector<Term>& terms) const { take_(terms); }

 private:
  using TakeTerms = std::function<void(const std::vector<Term>& terms)>;
  template <class Take>
  static TakeTerms of_terms(Take take) {
    if constexpr (std::is_invocable_v<Take, const std::vector<Term>&>) {
      return take;
    } else {
      return [take](const std::vector<Term>& terms) {
        HV_CHECK(terms.size() == 1, "learn: ", terms.size(), " losses in a pass, expected 1");
        take(terms[0].subnet, terms[0].loss);
      };
    }
  }
  TakeTerms take_;
};

class Recipe {
 public:
  virtual ~Recipe() = default;
  // The subnetworks that the step runs. The log, the report and --active-only use them.
  virtual std::vector<models::Subnet> trains(int64_t step) const = 0;
  // The expected share of all steps that run this subnetwork, 0 to 1.
  virtual double share(const models::Subnet& subnet) const = 0;
  // Runs the forward passes of one batch and calls `learn` after each. With --grad-accum, a step calls it once per batch.
  virtual void passes(const data::Batch& batch, int64_t step, const Learn& learn) = 0;
};

// Which labels a recipe can learn: those of which an image has one, or several (they do not exclude each other), or both.
enum class Labels { any, exclusive, independent };

struct RecipeKind {
  std::string name;  // the value of --recipe
  // The options that only this recipe has. Their values are stored in TrainOptions::own<T>().
  std::function<Fields(TrainOptions& options)> options;
  // Constructs the recipe for a model. A model that the recipe cannot train is an error (Fault::usage).
  std::function<std::unique_ptr<Recipe>(models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
                                        const TrainOptions& options)>
      make;
  Labels labels = Labels::any;
};
std::vector<RecipeKind>& recipe_kinds();  // defined in recipes/table.cpp; a program that uses the library may add rows

// By its name; an unknown one is an error (Fault::usage) that lists the known ones.
const RecipeKind& recipe_kind(const std::string& name);
// The recipe that recipe_of(options) names. An unknown name is an error (Fault::usage) that lists the known ones.
std::unique_ptr<Recipe> make_recipe(const TrainOptions& options, models::ElasticModel& model,
                                    const std::vector<models::Subnet>& subnets);

}  // namespace hv::train
