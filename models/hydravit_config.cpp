// Presets, a configuration as text and back, what a width costs: the row of models/kinds.h.
#include "models/config_reader.h"
#include "models/elastic_vit.h"
#include "models/hydravit.h"

namespace hv::models {

// preset    img  P   L  head_dim heads  ratio classes
// nano      32   4   4  16       2..6   2     10       the demonstration: minutes on two cores
// cifar     32   4   7  32       3..8   2     10       its 8-head member has the shape of ViT-Lite-7/4
// deit      224  16  12 64       3..12  4     1000     the paper's: DeiT-Ti, S and B at 3, 6 and 12 heads
const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names{"nano", "cifar", "deit"};
  return names;
}

HydraViTConfig preset(const std::string& name) {
  HydraViTConfig c;  // the defaults are cifar's
  if (name == "cifar") return c;
  if (name == "nano") {
    c.depth = 4;
    c.head_dim = 16;
    c.heads_min = 2;
    c.heads = 6;
    return c;
  }
  if (name == "deit") {
    c.image = 224;
    c.patch = 16;
    c.depth = 12;
    c.head_dim = 64;
    c.heads = 12;
    c.mlp_ratio = 4;
    c.classes = 1000;
    return c;
  }
  fail(Fault::usage, "preset: unknown name '", name, "'; known: nano, cifar, deit");
}

namespace {

// One list of the fields, for both directions.
template <class C, class Visit>
void visit_fields(C& c, Visit& visit) {
  visit_vit(c, visit);
  visit("head_dim", c.head_dim, 1, 1024);
  visit("heads_min", c.heads_min, 1, 256);
  visit("heads", c.heads, 1, 256);
  visit_tokens(c, visit);
}

VitShape shape_of(const HydraViTConfig& c, int64_t heads) { return {.width = heads * c.head_dim, .heads = heads}; }

}  // namespace

int64_t parameter_count(const HydraViTConfig& c, int64_t heads) { return vit_params(c, shape_of(c, heads)); }
int64_t mac_count(const HydraViTConfig& c, int64_t heads) { return vit_macs(c, shape_of(c, heads)); }
int64_t layer_norm_macs(const HydraViTConfig& c, int64_t heads) { return vit_norm_macs(c, shape_of(c, heads)); }

Config to_config(const HydraViTConfig& c) {
  ConfigWriter write{{{"model", "hydravit"}}};
  visit_fields(c, write);
  return write.out;
}

HydraViTConfig from_config(const Config& config) {
  HydraViTConfig c;
  ConfigReader read(config, "hydravit");
  visit_fields(c, read);
  HV_CHECK_INPUT(c.heads_min <= c.heads, "model: heads_min ", c.heads_min, " above heads ", c.heads);
  check_vit(c, 1,
            parameter_count(c, c.heads) + bands_of(c).params_beyond_widest(c.classes, 1) +
                Positions(c, 1).params_beyond_largest(c.width()));
  read.finish();
  return c;
}

Bands bands_of(const HydraViTConfig& c) {
  std::vector<int64_t> widths;
  for (int64_t k = c.heads_min; k <= c.heads; ++k) widths.push_back(k * c.head_dim);
  return {c.classifiers, widths, c.token_axes().views()};
}

std::vector<Cost> costs_of(const HydraViTConfig& c) {
  std::vector<Subnet> widths;
  std::vector<VitShape> shapes;
  for (int64_t k = c.heads_min; k <= c.heads; ++k) {
    widths.push_back({concat("heads", k),
                      concat("heads=", k),
                      k - c.heads_min,
                      {{"heads", static_cast<double>(k)}, {"dim", static_cast<double>(k * c.head_dim), false}}});
    shapes.push_back(shape_of(c, k));
  }
  return elastic_costs(c, widths, shapes, bands_of(c));
}

std::vector<Subnet> subnets_of(const HydraViTConfig& c) {
  std::vector<Subnet> all;
  for (const Cost& cost : costs_of(c)) all.push_back(cost.subnet);
  return all;
}

Kind hydravit_kind() {
  Kind kind{"hydravit", {}, {}, {}};
  for (const std::string& name : preset_names()) kind.presets.push_back({name, to_config(preset(name))});
  kind.settings = image_settings();
  kind.settings.push_back(classifiers_setting());
  for (const Setting& setting : token_settings()) kind.settings.push_back(setting);
  kind.features = [](const Config&) { return true; };
  kind.costs = [](const Config& config) { return costs_of(from_config(config)); };
  kind.make = [](const Config& config, uint64_t seed) { return std::make_unique<HydraViT>(from_config(config), seed); };
  kind.plain = [](const Config& config, int64_t width, const View& view) -> std::optional<PlainVit> {
    const HydraViTConfig c = from_config(config);
    if (width > c.width() || width % c.head_dim != 0 || c.stem_channels() > 0) return {};
    const int64_t heads = width == 0 ? c.heads : width / c.head_dim;
    PlainVit vit = elastic_plain(c, shape_of(c, heads), bands_of(c), width, view);
    vit.stacked = true;
    return vit;
  };
  kind.alone = [](const PlainVit& vit, const Config& like) -> std::optional<Config> {
    if (vit.distilled || vit.eps != 1e-6 || vit.scale_dim != vit.head_size()) return {};
    HydraViTConfig c = like.empty() ? HydraViTConfig{} : from_config(like);
    put_plain(vit, c);
    c.head_dim = vit.head_size();
    c.heads = c.heads_min = vit.heads;
    return to_config(c);
  };
  return kind;
}

}  // namespace hv::models
