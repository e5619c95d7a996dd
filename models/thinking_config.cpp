// Presets of ThinkingViT, a configuration as text and back, what a stage costs: the row of models/kinds.h.
#include <algorithm>

#include "models/config_reader.h"
#include "models/thinking.h"

namespace hv::models {
namespace {

// One list of the fields, for both directions. `stages` is a list, so each direction has a function of its own.
template <class C, class Visit>
void visit_fields(C& c, Visit& visit) {
  visit_vit(c, visit);
  visit("head_dim", c.head_dim, 1, 1024);
}

std::vector<int64_t> stages_of(const std::string& text) {
  return whole_list(text, {"stages", "heads", "3,6 or 2,4,6", 1, 256});
}

// preset          img  P   L  head_dim stages ratio classes
// thinking-nano    32   4   4  16       3,6    2     10      the shapes of nano; 3 and 6 as in the paper: half, then all
// thinking-cifar   32   4   7  32       4,8    2     10      the shapes of cifar
// thinking-deit   224  16  12  64       3,6    4     1000    the paper's: DeiT-Ti, then DeiT-S
ThinkingConfig nano() {
  ThinkingConfig c;  // the defaults are thinking-cifar's
  c.depth = 4;
  c.head_dim = 16;
  c.stages = {3, 6};
  return c;
}
ThinkingConfig deit() {
  ThinkingConfig c;
  c.image = 224;
  c.patch = 16;
  c.depth = 12;
  c.head_dim = 64;
  c.stages = {3, 6};
  c.mlp_ratio = 4;
  c.classes = 1000;
  return c;
}

VitShape shape_of(const ThinkingConfig& c, size_t stage) { return {.width = c.width(stage), .heads = c.stages[stage]}; }

// A ViT as wide as the stage; all maps so far, cut to p rows, and alphas.
int64_t parameter_count(const ThinkingConfig& c, size_t stage) {
  const int64_t p = c.width(stage);
  int64_t count = vit_params(c, shape_of(c, stage));
  for (size_t s = 1; s <= stage; ++s) count += p * (c.width(s - 1) + 1) + 1;
  return count;
}

}  // namespace

// A stage costs what a ViT of its width costs, and T q p multiply-adds for the map from the stage before.
std::vector<Cost> costs_of(const ThinkingConfig& c) {
  std::vector<Cost> all;
  const std::vector<Subnet> subnets = subnets_of(c);
  for (size_t s = 0; s < subnets.size(); ++s) {
    Cost cost = vit_cost(subnets[s], c, shape_of(c, s));
    const int64_t p = c.width(s);
    cost.params = parameter_count(c, s);
    if (s > 0) {
      const Cost& before = all.back();
      const int64_t q = c.width(s - 1), map = c.tokens() * q * p;
      const double tokens = static_cast<double>(c.tokens() * q), x = static_cast<double>(c.tokens() * p);
      cost.macs += before.macs + map;
      cost.macs_with_norms += before.macs_with_norms + map;
      cost.need.work += before.need.work + static_cast<double>(map);
      cost.need.rollout_work += before.need.work + static_cast<double>(map);
      // Of the stages before, a forward pass keeps the tokens alone, a training step everything.
      cost.need.forward = std::max(before.need.forward + tokens, cost.need.forward + tokens);
      cost.need.rollout = std::max(before.need.forward + tokens, cost.need.rollout + tokens);
      cost.need.training += before.need.training + 2 * (tokens + x);
      cost.need.thread = std::max(cost.need.thread, before.need.thread);
    }
    all.push_back(cost);
  }
  bands_of(c).describe(all, c.classes, 1);
  return all;
}

Config to_config(const ThinkingConfig& c) {
  ConfigWriter write{{{"model", "thinking"}, {"stages", joined(c.stages)}}};
  visit_fields(c, write);
  return write.out;
}

ThinkingConfig thinking_from_config(const Config& config) {
  ThinkingConfig c;
  ConfigReader read(config, "thinking");
  visit_fields(c, read);
  c.stages = stages_of(read.text("stages"));
  // Before MACs are counted, which might exceed 2^63.
  check_vit(c, 1, parameter_count(c, c.stages.size() - 1) + bands_of(c).params_beyond_widest(c.classes, 1));
  read.finish();
  return c;
}

Bands bands_of(const ThinkingConfig& c) {
  std::vector<int64_t> widths;
  for (size_t s = 0; s < c.stages.size(); ++s) widths.push_back(c.width(s));
  return {c.classifiers, widths};
}

std::vector<Subnet> subnets_of(const ThinkingConfig& c) {
  std::vector<Subnet> all;
  for (const int64_t heads : c.stages) {
    all.push_back({concat("heads", heads),
                   concat("heads=", heads),
                   std::ssize(all),
                   {{"heads", static_cast<double>(heads)}, {"dim", static_cast<double>(heads * c.head_dim), false}}});
  }
  return all;
}

Kind thinking_kind() {
  Kind kind{"thinking",
            {{"thinking-nano", to_config(nano())},
             {"thinking-cifar", to_config(ThinkingConfig{})},
             {"thinking-deit", to_config(deit())}},
            {},
            {}};
  kind.settings = image_settings();
  kind.settings.push_back({"stages", "heads of each look at an image, fewest first, as 3,6 or 2,4,6"});
  kind.settings.push_back(classifiers_setting());
  kind.recipe = "thinking";
  kind.features = [](const Config&) { return true; };
  kind.costs = [](const Config& config) { return costs_of(thinking_from_config(config)); };
  kind.make = [](const Config& config, uint64_t seed) {
    return std::make_unique<Thinking>(thinking_from_config(config), seed);
  };
  kind.plain = [](const Config& config, int64_t width, const View&) -> std::optional<PlainVit> {  // the first stage alone
    const ThinkingConfig c = thinking_from_config(config);
    if ((width == 0 ? c.width() : width) != c.width(0) || c.stem_channels() > 0) return {};
    PlainVit vit = plain_of(c, shape_of(c, 0));
    bands_of(c).describe(vit, width);
    vit.stacked = true;
    return vit;
  };
  kind.alone = [](const PlainVit& vit, const Config& like) -> std::optional<Config> {
    if (vit.distilled || !vit.in_timm() || vit.eps != 1e-6 || vit.scale_dim != vit.head_size()) return {};
    ThinkingConfig c = like.empty() ? ThinkingConfig{} : thinking_from_config(like);
    put_plain(vit, c);
    c.head_dim = vit.head_size();
    c.stages = {vit.heads};
    return to_config(c);
  };
  return kind;
}

}  // namespace hv::models
