// Presets of Scala, a configuration as text and back, what a width costs: the row of models/kinds.h.
#include <algorithm>

#include "models/config_reader.h"
#include "models/elastic_vit.h"
#include "models/scala.h"

namespace hv::models {
namespace {

// One list of the fields, for both directions.
template <class C, class Visit>
void visit_fields(C& c, Visit& visit) {
  visit_vit(c, visit);
  visit("width", c.width, 1, 1 << 16);
  visit("heads", c.heads, 1, 256);
  visit("scale_dim", c.scale_dim, 1, 1024);
  visit("grid", c.grid, 1, 256);
  visit("smallest", c.smallest, 1, 256);
  visit("eps", c.eps, 1e-12, 0.1);
  visit("distilled", c.distilled);
  visit("isolate", c.isolate);
  visit("literal_ends", c.literal_ends);
  visit_tokens(c, visit);
}

VitShape shape_of(const ScalaConfig& c, int64_t width) {
  return {.width = width, .heads = c.heads, .first_tokens = c.first_tokens(), .outputs = c.first_tokens()};
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

bool trailing(const ScalaConfig& c, int64_t k) { return c.isolate && k != c.smallest && k != c.grid; }
bool trailing_ends(const ScalaConfig& c, int64_t k) {
  return c.literal_ends ? c.isolate && 4 * k != c.grid && k != c.grid : trailing(c, k);
}

int64_t parameter_count(const ScalaConfig& c, int64_t width) { return vit_params(c, shape_of(c, width)); }
int64_t mac_count(const ScalaConfig& c, int64_t width) { return vit_macs(c, shape_of(c, width)); }

Config to_config(const ScalaConfig& c) {
  ConfigWriter write{{{"model", "scala"}}};
  visit_fields(c, write);
  return write.out;
}

ScalaConfig scala_from_config(const Config& config) {
  ScalaConfig c;
  ConfigReader read(config, "scala");
  visit_fields(c, read);
  HV_CHECK_INPUT(c.smallest <= c.grid, "model: smallest ", c.smallest, " above grid ", c.grid);
  HV_CHECK_INPUT(c.width % (c.grid * c.heads) == 0, "model: width ", c.width, " over ", c.grid, " steps is no whole number of ",
                 c.heads, " heads: expected a multiple of ", c.grid * c.heads);
  check_vit(c, c.first_tokens(), elastic_params(c, shape_of(c, c.width), bands_of(c)));
  read.finish();
  return c;
}

Bands bands_of(const ScalaConfig& c) {
  std::vector<int64_t> widths;
  for (int64_t k = c.smallest; k <= c.grid; ++k) widths.push_back(c.width * k / c.grid);
  return {c.classifiers, widths, c.token_axes().views()};
}

namespace {

std::vector<Subnet> widths_of(const ScalaConfig& c) {
  std::vector<Subnet> all;
  const auto ratio_of = [&](int64_t k) { return static_cast<double>(k) / static_cast<double>(c.grid); };
  int digits = 0;
  for (int64_t k = c.smallest; k < c.grid; ++k) digits = std::max(digits, static_cast<int>(concat(ratio_of(k)).size()) - 2);
  for (int64_t k = c.smallest; k <= c.grid; ++k) {
    const double ratio = ratio_of(k);
    all.push_back({"ratio" + text_of(ratio),
                   "ratio=" + text_of(ratio),
                   k - c.smallest,
                   {{"ratio", ratio, true, digits}, {"dim", static_cast<double>(c.width * k / c.grid), false}}});
  }
  return all;
}

}  // namespace

std::vector<Cost> costs_of(const ScalaConfig& c) {
  std::vector<VitShape> shapes;
  for (int64_t k = c.smallest; k <= c.grid; ++k) shapes.push_back(shape_of(c, c.width * k / c.grid));
  return elastic_costs(c, widths_of(c), shapes, bands_of(c));
}

Kind scala_kind() {
  Kind kind{"scala",
            {{"scala-nano", to_config(nano())}, {"scala-cifar", to_config(ScalaConfig{})}, {"scala-deit", to_config(deit())}},
            {},
            {}};
  kind.settings = {{"distilled", "a DIST token with a classifier of its own, which learns from wider nets", {"on", "off"}},
                   {"isolate", "the widths between the ends use the last parts of the weights, not the first", {"on", "off"}},
                   classifiers_setting()};
  for (const auto& some : {image_settings(), token_settings()})
    kind.settings.insert(kind.settings.end(), some.begin(), some.end());
  kind.recipe = "scala";
  kind.features = [](const Config& config) { return !scala_from_config(config).distilled; };
  kind.costs = [](const Config& config) { return costs_of(scala_from_config(config)); };
  kind.make = [](const Config& config, uint64_t seed) { return std::make_unique<Scala>(scala_from_config(config), seed); };
  kind.plain = [](const Config& config, int64_t width, const View& view) -> std::optional<PlainVit> {
    const ScalaConfig c = scala_from_config(config);
    const int64_t p = width == 0 ? c.width : width, step = c.width / c.grid, k = p / step;
    if (k < c.smallest || k > c.grid || p % step != 0 || c.stem_channels() > 0) return {};
    PlainVit vit = elastic_plain(c, shape_of(c, p), bands_of(c), width, view);
    vit.scale_dim = c.scale_dim;
    vit.eps = c.eps;
    vit.trailing_blocks = trailing(c, k);
    vit.trailing_ends = trailing_ends(c, k);
    return vit;
  };
  kind.alone = [](const PlainVit& vit, const Config& like) -> std::optional<Config> {
    ScalaConfig c = like.empty() ? ScalaConfig{} : scala_from_config(like);
    put_plain(vit, c);
    c.width = vit.width;
    c.heads = vit.heads;
    c.scale_dim = vit.scale_dim;
    c.eps = vit.eps;
    c.distilled = vit.distilled;
    c.grid = c.smallest = 1;
    c.literal_ends = false;
    return to_config(c);
  };
  return kind;
}

}  // namespace hv::models
