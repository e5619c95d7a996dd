// The table of recipes: one row each.
#include "train/recipes/branches.h"
#include "train/recipes/hydravit.h"
#include "train/recipes/joint.h"
#include "train/recipes/sandwich.h"
#include "train/recipes/slim.h"
#include "train/recipes/supervit.h"
#include "train/recipes/thinking.h"

namespace hv::train {

std::vector<RecipeKind>& recipe_kinds() {
  static std::vector<RecipeKind> table = {hydravit_recipe(), sandwich_recipe(), scala_recipe(), thinking_recipe(),
                                          supervit_recipe(), joint_recipe(),    slim_recipe(),  branches_recipe()};
  return table;
}

const RecipeKind& recipe_kind(const std::string& name) {
  std::string known;
  for (const RecipeKind& kind : recipe_kinds()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  fail(Fault::usage, "--recipe: '", name, "' is unknown; choose ", known);
}

std::unique_ptr<Recipe> make_recipe(const TrainOptions& options, models::ElasticModel& model,
                                    const std::vector<models::Subnet>& subnets) {
  const RecipeKind& kind = recipe_kind(recipe_of(options));
  HV_CHECK_USAGE(!model.independent() || kind.labels != Labels::exclusive, "--recipe ", kind.name,
                 ": for labels that exclude each other; those of the model do not");
  return kind.make(model, subnets, options);
}

}  // namespace hv::train
