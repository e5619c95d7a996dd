// Presets, a configuration as text and back, what a width costs: the row of models/kinds.h.
#include "models/config_reader.h"
#include "models/hydravit.h"
#include "models/vit_need.h"

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

// One list of the fields, for both directions: visit(name, field, least, most).
template <class C, class Visit>
void visit_integers(C& c, const Visit& visit) {
  visit("image", c.image, 1, 4096);
  visit("patch", c.patch, 1, 4096);
  visit("channels", c.channels, 1, 64);
  visit("depth", c.depth, 1, 256);
  visit("head_dim", c.head_dim, 1, 1024);
  visit("heads_min", c.heads_min, 1, 256);
  visit("heads", c.heads, 1, 256);
  visit("mlp_ratio", c.mlp_ratio, 1, 64);
  visit("classes", c.classes, 1, 1 << 20);
}
template <class C, class Visit>
void visit_reals(C& c, const Visit& visit) {
  visit("drop_path", c.drop_path);
  visit("dropout", c.dropout);
}

// 2 GiB of weights. The bounds of the fields keep every number on the way there below 2^63.
constexpr int64_t kMostParameters = int64_t{1} << 29;

}  // namespace

int64_t parameter_count(const HydraViTConfig& c, int64_t heads) {
  const int64_t e = heads * c.head_dim, r = c.mlp_ratio;
  const int64_t embedding = e * c.channels * c.patch * c.patch + e + e + c.tokens() * e;  // kernel, bias, CLS, positions
  const int64_t attention = 4 * e * e + 4 * e, mlp = 2 * r * e * e + r * e + e, norms = 4 * e;
  return embedding + c.depth * (attention + mlp + norms) + 2 * e + e * c.classes + c.classes;
}

// N E C P^2 + L (T (4 + 2r) E^2 + 2 T^2 E) + E K: convolution, linear layers, q k^T and attention times v, classifier.
// The convention of the published tables: every block in full, although the last one computes fewer rows (nn::first_token).
int64_t mac_count(const HydraViTConfig& c, int64_t heads) {
  const int64_t e = heads * c.head_dim, t = c.tokens(), n = t - 1;
  return n * e * c.channels * c.patch * c.patch + c.depth * (t * (4 + 2 * c.mlp_ratio) * e * e + 2 * t * t * e) + e * c.classes;
}

// Two a block and the last: (2L + 1) T E numbers.
int64_t layer_norm_macs(const HydraViTConfig& c, int64_t heads) {
  return 5 * (2 * c.depth + 1) * c.tokens() * heads * c.head_dim;
}

Config to_config(const HydraViTConfig& c) {
  Config out{{"model", "hydravit"}, {"init", c.init}};
  visit_integers(c, [&](const char* name, int64_t value, int64_t, int64_t) { out[name] = std::to_string(value); });
  visit_reals(c, [&](const char* name, double value) { out[name] = text_of(value); });
  return out;
}

HydraViTConfig from_config(const Config& config) {
  HydraViTConfig c;
  ConfigReader read(config, "hydravit");
  visit_integers(c,
                 [&](const char* name, int64_t& field, int64_t least, int64_t most) { field = read.whole(name, least, most); });
  visit_reals(c, [&](const char* name, double& field) { field = read.share(name); });
  c.init = read.text("init");
  HV_CHECK_INPUT(nn::Init::known(c.init), "model: init: unknown style '", c.init, "'; known: trunc_normal, reference");
  HV_CHECK_INPUT(c.image % c.patch == 0, "model: the patch must divide the image: ", c.patch, " and ", c.image);
  HV_CHECK_INPUT(c.heads_min <= c.heads, "model: heads_min ", c.heads_min, " above heads ", c.heads);
  HV_CHECK_INPUT(c.tokens() <= 4097, "model: too many tokens: ", c.tokens(), ", at most 4097");
  HV_CHECK_INPUT(parameter_count(c, c.heads) <= kMostParameters, "model: too large: ", parameter_count(c, c.heads),
                 " parameters, at most ", kMostParameters);
  read.finish();
  return c;
}

std::vector<Subnet> subnets_of(const HydraViTConfig& c) {
  std::vector<Subnet> all;
  for (int64_t k = c.heads_min; k <= c.heads; ++k) {
    all.push_back({concat("heads", k),
                   concat("heads=", k),
                   k - c.heads_min,
                   {{"heads", static_cast<double>(k)}, {"dim", static_cast<double>(k * c.head_dim), false}}});
  }
  return all;
}

Kind hydravit_kind() {
  Kind kind{"hydravit", {}, {}, {}};
  for (const std::string& name : preset_names()) kind.presets.push_back({name, to_config(preset(name))});
  kind.costs = [](const Config& config) {
    const HydraViTConfig c = from_config(config);
    std::vector<Cost> all;
    for (const Subnet& subnet : subnets_of(c)) {
      const int64_t k = c.heads_min + subnet.id, macs = mac_count(c, k);
      all.push_back(
          {subnet, parameter_count(c, k), macs, macs + layer_norm_macs(c, k),
           vit_need({c.image * c.image * c.channels, c.tokens(), k, c.head_dim, c.mlp_ratio, c.depth, c.classes}, macs)});
    }
    return all;
  };
  kind.make = [](const Config& config, uint64_t seed) { return std::make_unique<HydraViT>(from_config(config), seed); };
  return kind;
}

}  // namespace hv::models
