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
                                          supervit_recipe(), joint_recipe(),    slim_recipe(),     branches_recipe()};
  return table;
}

std::unique_ptr<Recipe> make_recipe(const TrainOptions& options, models::ElasticModel& model,
                                    const std::vector<models::Subnet>& subnets) {
  const std::string name = recipe_of(options);
  std::string known;
  for (const RecipeKind& kind : recipe_kinds()) {
    if (kind.name == name) {
      HV_CHECK_USAGE(kind.independent == model.independent(), "--recipe ", name, ": for models whose labels ",
                     kind.independent ? "do not exclude each other, as branches-nano" : "exclude each other");
      return kind.make(model, subnets, options);
    }
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  fail(Fault::usage, "--recipe: '", name, "' is unknown; choose ", known);
}

}  // namespace hv::train
