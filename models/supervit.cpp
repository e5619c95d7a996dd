#include "models/supervit.h"

#include "models/config_reader.h"
#include "models/elastic_vit.h"

namespace hv::models {
namespace {

// One list of the fields, for both directions.
template <class C, class Visit>
void visit_fields(C& c, Visit& visit) {
  visit_vit(c, visit);
  visit("heads", c.heads, 1, 256);
  visit("head_dim", c.head_dim, 1, 1024);
  visit_tokens(c, visit);
}

Bands bands_of(const SuperViTConfig& c) { return {c.classifiers, {c.width()}, c.token_axes().views()}; }

// preset          img  P   L  head_dim heads ratio sizes                         prune    classes
// supervit-nano    32   4   4  16       6     2     16, 24, 32                    1, 2     10
// supervit-cifar   32   4   7  32       8     2     16, 24, 32                    1, 3, 5  10
// supervit-deit   224  16  12  64       6     4     128, 160, 192, 224            3, 6, 9  1000    the paper's, on DeiT-S
SuperViTConfig cifar() {
  SuperViTConfig c;
  c.sizes = "16,24,32";
  c.keep = "0.5,0.7,1";
  return c;
}
SuperViTConfig nano() {
  SuperViTConfig c = cifar();
  c.depth = 4;
  c.heads = 6;
  c.head_dim = 16;
  return c;
}
SuperViTConfig deit() {
  SuperViTConfig c = cifar();
  c.image = 224;
  c.patch = 16;
  c.depth = 12;
  c.heads = 6;
  c.head_dim = 64;
  c.mlp_ratio = 4;
  c.classes = 1000;
  c.sizes = "128,160,192,224";
  return c;
}

VitShape shape_of(const SuperViTConfig& c) { return {.width = c.width(), .heads = c.heads}; }

}  // namespace

Config to_config(const SuperViTConfig& c) {
  ConfigWriter write{{{"model", "supervit"}}};
  visit_fields(c, write);
  return write.out;
}

SuperViTConfig supervit_from_config(const Config& config) {
  SuperViTConfig c;
  ConfigReader read(config, "supervit");
  visit_fields(c, read);
  HV_CHECK_INPUT(c.classifiers == "shared", "model: classifiers: expected shared, for one width has one, found '",
                 c.classifiers, "'");
  check_vit(c, 1, elastic_params(c, shape_of(c), bands_of(c)));
  read.finish();
  return c;
}

std::vector<Cost> costs_of(const SuperViTConfig& c) {
  // Views alone give the names, unless there is one.
  const std::string name = c.sizes.empty() && c.keep.empty() ? "full" : "";
  const Subnet whole{name, name, 0, {{"dim", static_cast<double>(c.width()), false}}};
  return elastic_costs(c, {whole}, {shape_of(c)}, bands_of(c));
}

SuperViT::SuperViT(const SuperViTConfig& c, uint64_t seed)
    : StackedVit{supervit_from_config(to_config(c)), {"supervit", c.head_dim, bands_of(c), costs_of(c), true}, seed},
      config_(c) {}

std::unique_ptr<ElasticModel> SuperViT::extract(const Subnet& subnet) const {
  SuperViTConfig c = config_;
  static_cast<TokenConfig&>(c) = token_config_of(c, view(subnet));
  auto model = std::make_unique<SuperViT>(c, 0);
  copy_to(*model, subnet);
  return model;
}

Kind supervit_kind() {
  Kind kind{
      "supervit",
      {{"supervit-nano", to_config(nano())}, {"supervit-cifar", to_config(cifar())}, {"supervit-deit", to_config(deit())}},
      {},
      {}};
  kind.settings = image_settings();
  for (const Setting& setting : token_settings()) kind.settings.push_back(setting);
  kind.recipe = "supervit";
  kind.features = [](const Config&) { return true; };
  kind.costs = [](const Config& config) { return costs_of(supervit_from_config(config)); };
  kind.make = [](const Config& config, uint64_t seed) {
    return std::make_unique<SuperViT>(supervit_from_config(config), seed);
  };
  kind.plain = [](const Config& config, int64_t width, const View& view) -> std::optional<PlainVit> {
    const SuperViTConfig c = supervit_from_config(config);
    if ((width != 0 && width != c.width()) || c.stem_channels() > 0) return {};
    PlainVit vit = elastic_plain(c, shape_of(c), bands_of(c), width, view);
    vit.stacked = true;
    return vit;
  };
  kind.alone = [](const PlainVit& vit, const Config& like) -> std::optional<Config> {
    if (vit.distilled || vit.eps != 1e-6 || vit.scale_dim != vit.head_size()) return {};
    SuperViTConfig c = like.empty() ? SuperViTConfig{} : supervit_from_config(like);
    put_plain(vit, c);
    c.heads = vit.heads;
    c.head_dim = vit.head_size();
    return to_config(c);
  };
  return kind;
}

}  // namespace hv::models
