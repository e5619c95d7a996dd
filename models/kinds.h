// The kinds of models there are, one row each. A new model is a file of its own and a row in models/kinds.cpp; a program that
// uses the library adds a row of its own to kinds() before it asks for the model by name.
//
// Invariant: a configuration is untrusted (checkpoints hold them). costs() and make() check every entry against a bound before
// anything is allocated; what is missing, unknown or out of bounds is an error (Fault::input).
// Thread rule: the table is changed before threads read it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/layered_vit.h"
#include "models/plain_vit.h"
#include "models/structure.h"

namespace hv::models {

// What a pass needs beside the weights and the batch itself: an upper bound, so that a pass that does not fit is refused before
// anything runs. Memory in numbers of 4 bytes; 0: not known.
struct Need {
  double forward = 0, training = 0, rollout = 0;  // per image; training: forward and backward; rollout: ElasticModel::rollout
  double thread = 0;                              // per thread
  // The time of one image's pass, in multiply-adds of a large matrix product that take as long. rollout_work: of a rollout.
  double work = 0, rollout_work = 0;
};

// What a subnetwork costs, by formula: no model is built. MACs are of one image; macs_with_norms counts LayerNorm too, at 5 per
// number, as fvcore and timm's tables do.
struct Cost {
  Subnet subnet;
  int64_t params = 0, macs = 0, macs_with_norms = 0;
  Need need = {};
  int64_t head = 0, head_params = 0;    // the classifier that it uses, and how many weights and biases this has
  int64_t table = 0, table_params = 0;  // the table of positions that it uses, and how many numbers this has
  std::vector<int64_t> tokens = {};     // that enter the first block, then after each choice of them; empty: always the same
};

struct Preset {
  std::string name;  // of --preset: unique over all kinds
  Config config;     // with "classes" as in the data set that it is made for
};

// An entry of the configuration that a user may choose: an option of `train` has its name, with '-' for '_'.
struct Setting {
  std::string name, help;
  std::vector<std::string> choices = {};  // empty: any text that the kind takes
};

struct Kind {
  std::string name;  // config["model"]
  std::vector<Preset> presets;
  std::function<std::vector<Cost>(const Config& config)> costs;  // of every subnetwork, in the order of subnets()
  std::function<std::unique_ptr<ElasticModel>(const Config& config, uint64_t seed)>
      make;  // weights are initialised from `seed`
  std::vector<Setting> settings = {};
  std::string recipe = "hydravit";  // the way of training (train/recipes) that a user gets who names none
  // For other programs' files; empty if the kind has nothing to do with them. plain: see plain_vit(). alone: the model of one
  // subnetwork that is `vit`, or nothing if this kind cannot be it; what `vit` does not say is as in `like`, a configuration of
  // this kind, or if that is empty by default.
  std::function<std::optional<PlainVit>(const Config& config, int64_t width, const View& view)> plain = {};
  std::function<std::optional<Config>(const PlainVit& vit, const Config& like)> alone = {};
  // The same for models whose blocks have sizes of their own (models/layered_vit.h): the full one.
  std::function<LayeredVit(const Config& config)> layers = {};
  // Whether the model of a configuration is a Backbone (models/backbone.h), with no first token but CLS; empty: it is none.
  std::function<bool(const Config& config)> features = {};
  // Of a kind whose blocks have sizes of their own: these, by subnetwork, and the entries of the configuration that say nothing
  // else. ranking: of a kind that searches for such sizes. Both are empty for any other.
  std::function<std::vector<LayerSizes>(const Config& config)> sizes = {};
  std::vector<std::string> layer_entries = {};
  std::function<Ranking(const ElasticModel& model, const std::vector<double>& budgets)> ranking = {};
};
std::vector<Kind>& kinds();

std::vector<std::string> model_names();  // of all presets of all kinds
// The configuration of a preset, for `classes` classes; 0: as many as it is made for. An unknown name is a usage error that
// lists the known ones.
Config named_model(const std::string& name, int64_t classes);

// By config["model"]; another kind is an error (Fault::input) that lists the known ones.
const Kind& kind_of(const Config& config);
std::vector<Cost> costs(const Config& config);
std::vector<LayerSizes> layer_sizes(const Config& config);  // in the order of costs(); empty if all blocks are alike
int64_t all_params(const std::vector<Cost>& costs);  // of the whole model: the full one, classifiers and positions of others
std::unique_ptr<ElasticModel> make_model(const Config& config, uint64_t seed);

}  // namespace hv::models
