// Presets of Scala, a configuration as text and back, what a width costs: the row of models/kinds.h.
#include "models/config_reader.h"
#include "models/scala.h"
#include "models/vit_need.h"

namespace hv::models {
namespace {

constexpr int64_t kMostParameters = int64_t{1} << 29;  // 2 GiB of weights

// One list of the fields, for both directions: visit(name, field, least, most).
template <class C, class Visit>
void visit_integers(C& c, const Visit& visit) {
  visit("image", c.image, 1, 4096);
  visit("patch", c.patch, 1, 4096);
  visit("channels", c.channels, 1, 64);
  visit("depth", c.depth, 1, 256);
  visit("width", c.width, 1, 1 << 16);
  visit("heads", c.heads, 1, 256);
  visit("scale_dim", c.scale_dim, 1, 1024);
  visit("mlp_ratio", c.mlp_ratio, 1, 64);
  visit("grid", c.grid, 1, 256);
  visit("smallest", c.smallest, 1, 256);
  visit("classes", c.classes, 1, 1 << 20);
  visit("distilled", c.distilled, 0, 1);
  visit("isolate", c.isolate, 0, 1);
  visit("literal_ends", c.literal_ends, 0, 1);
}

// preset       img  P   L  E    H   ratio classes
// scala-nano    32   4   4  96   6  2     10       the shapes of nano
// scala-cifar   32   4   7  256  8  2     10       the shapes of cifar
// scala-deit   224  16  12  384  6  4     1000     the paper's: DeiT-S
ScalaConfig nano() {
  ScalaConfig c;  // the defaults are scala-cifar's
  c.depth = 4;
  c.width = 96;
  c.heads = 6;
  c.scale_dim = 16;
  return c;
}
ScalaConfig deit() {
  ScalaConfig c;
  c.image = 224;
  c.patch = 16;
  c.depth = 12;
  c.width = 384;
  c.heads = 6;
  c.scale_dim = 64;
  c.mlp_ratio = 4;
  c.classes = 1000;
  return c;
}

}  // namespace

// As HydraViT's formula (models/hydravit_config.cpp), with S first tokens and S heads.
int64_t parameter_count(const ScalaConfig& c, int64_t p) {
  const int64_t r = c.mlp_ratio, s = c.first_tokens();
  const int64_t embedding = p * c.channels * c.patch * c.patch + p + s * p + c.tokens() * p;
  const int64_t block = 4 * p * p + 4 * p + 2 * r * p * p + r * p + p + 4 * p;
  return embedding + c.depth * block + 2 * p + s * (p * c.classes + c.classes);
}

int64_t mac_count(const ScalaConfig& c, int64_t p) {
  const int64_t t = c.tokens();
  return c.patches() * p * c.channels * c.patch * c.patch + c.depth * (t * (4 + 2 * c.mlp_ratio) * p * p + 2 * t * t * p) +
         c.first_tokens() * p * c.classes;
}

Config to_config(const ScalaConfig& c) {
  Config out{{"model", "scala"}, {"init", c.init}, {"drop_path", text_of(c.drop_path)}, {"dropout", text_of(c.dropout)}};
  visit_integers(c, [&](const char* name, int64_t value, int64_t, int64_t) { out[name] = std::to_string(value); });
  return out;
}

ScalaConfig scala_from_config(const Config& config) {
  ScalaConfig c;
  ConfigReader read(config, "scala");
  visit_integers(c,
                 [&](const char* name, int64_t& field, int64_t least, int64_t most) { field = read.whole(name, least, most); });
  c.drop_path = read.share("drop_path");
  c.dropout = read.share("dropout");
  c.init = read.text("init");
  HV_CHECK_INPUT(nn::Init::known(c.init), "model: init: unknown style '", c.init, "'; known: trunc_normal, reference");
  HV_CHECK_INPUT(c.image % c.patch == 0, "model: the patch must divide the image: ", c.patch, " and ", c.image);
  HV_CHECK_INPUT(c.smallest <= c.grid, "model: smallest ", c.smallest, " above grid ", c.grid);
  HV_CHECK_INPUT(c.width % (c.grid * c.heads) == 0, "model: width ", c.width, " over ", c.grid, " steps is no whole number of ",
                 c.heads, " heads: expected a multiple of ", c.grid * c.heads);
  HV_CHECK_INPUT(c.tokens() <= 4098, "model: too many tokens: ", c.tokens(), ", at most 4098");
  HV_CHECK_INPUT(parameter_count(c, c.width) <= kMostParameters, "model: too large: ", parameter_count(c, c.width),
                 " parameters, at most ", kMostParameters);
  read.finish();
  return c;
}

std::vector<Subnet> subnets_of(const ScalaConfig& c) {
  std::vector<Subnet> all;
  for (int64_t k = c.smallest; k <= c.grid; ++k) {
    const double ratio = static_cast<double>(k) / static_cast<double>(c.grid);
    all.push_back({"ratio" + text_of(ratio),
                   "ratio=" + text_of(ratio),
                   k - c.smallest,
                   {{"ratio", ratio}, {"dim", static_cast<double>(c.width * k / c.grid), false}}});
  }
  return all;
}

Kind scala_kind() {
  Kind kind{"scala",
            {{"scala-nano", to_config(nano())}, {"scala-cifar", to_config(ScalaConfig{})}, {"scala-deit", to_config(deit())}},
            {},
            {}};
  kind.costs = [](const Config& config) {
    const ScalaConfig c = scala_from_config(config);
    std::vector<Cost> all;
    for (const Subnet& subnet : subnets_of(c)) {
      const int64_t p = c.width * (c.smallest + subnet.id) / c.grid, macs = mac_count(c, p);
      const VitShape shape{c.image * c.image * c.channels, c.tokens(), c.heads, p / c.heads, c.mlp_ratio, c.depth,
                           c.classes * c.first_tokens()};
      all.push_back(
          {subnet, parameter_count(c, p), macs, macs + 5 * (2 * c.depth + 1) * c.tokens() * p, vit_need(shape, macs)});
    }
    return all;
  };
  kind.make = [](const Config& config, uint64_t seed) { return std::make_unique<Scala>(scala_from_config(config), seed); };
  return kind;
}

}  // namespace hv::models
