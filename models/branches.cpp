#include "models/branches.h"

#include "models/config_reader.h"
#include "models/hydravit.h"
#include "models/scala.h"
#include "models/supervit.h"
#include "models/thinking.h"
#include "nn/part.h"
#include "nn/probe.h"

namespace hv::models {
namespace {

// One list of the own fields, for both directions.
template <class C, class Visit>
void visit_fields(C& c, Visit& visit) {
  visit("branches", c.branches);
  visit("mixing", c.mixing);
  visit("feature", c.feature);
  visit("branch_hidden", c.branch_hidden, 1, 1024);
}

// [B, T, p] -> [B, p]. A backbone has no first token but CLS (Kind::features).
Tensor mean_of_patches(const Tensor& x) {
  nn::probe_reads_patches();
  return mean(x.slice(1, 1, x.size(1)), {1});
}

int64_t own_params(const BranchesConfig& c, int64_t p, int64_t labels) {
  if (!c.branches) return 0;
  const int64_t gates = c.mixing == "input" ? labels * p + labels : labels;
  return labels * c.branch_hidden * (p + 2) + labels + gates;
}
int64_t own_macs(const BranchesConfig& c, int64_t p, int64_t labels) {
  if (!c.branches) return 0;
  return labels * c.branch_hidden * (p + 1) + (c.mixing == "input" ? labels * p : 0);
}

}  // namespace

Config to_config(const BranchesConfig& c) {
  ConfigWriter write{c.backbone};
  write.out["backbone"] = write.out.at("model");
  write.out["model"] = "branches";
  visit_fields(c, write);
  return write.out;
}

BranchesConfig branches_from_config(const Config& config) {
  BranchesConfig c;
  ConfigReader read(config, "branches");
  visit_fields(c, read);
  c.backbone = config;
  c.backbone["model"] = read.text("backbone");
  for (const char* own : {"backbone", "branches", "mixing", "feature", "branch_hidden"}) c.backbone.erase(own);
  const Kind& kind = kind_of(c.backbone);
  HV_CHECK_INPUT(kind.features && kind.features(c.backbone), "model: backbone: a model of kind ", kind.name,
                 kind.features ? " with these entries" : "", " decides by no single feature; choose another one");
  HV_CHECK_INPUT(c.mixing == "scalar" || c.mixing == "input", "model: mixing: expected scalar or input, found '", c.mixing,
                 "'");
  HV_CHECK_INPUT(c.feature == "cls" || c.feature == "mean", "model: feature: expected cls or mean, found '", c.feature, "'");
  // The backbone's own part is within its bounds, so nothing here exceeds 2^63.
  const Cost widest = costs(c.backbone).back();
  const int64_t labels = std::stoll(c.backbone.at("classes"));
  const int64_t own = own_params(c, static_cast<int64_t>(widest.subnet.on("dim").value()), labels);
  HV_CHECK_INPUT(widest.params + own <= kMostParameters, "model: too large: ", widest.params + own, " parameters, at most ",
                 kMostParameters);
  return c;
}

std::vector<Cost> costs_of(const BranchesConfig& c) {
  std::vector<Cost> all = costs(c.backbone);
  const int64_t labels = std::stoll(c.backbone.at("classes"));
  for (Cost& cost : all) {
    const auto p = static_cast<int64_t>(cost.subnet.on("dim").value());
    cost.params += own_params(c, p, labels);
    cost.macs += own_macs(c, p, labels);
    cost.macs_with_norms += own_macs(c, p, labels);
    const double units = static_cast<double>(labels * (3 * c.branch_hidden + 8));
    cost.need.forward += units;
    cost.need.training += 4 * units;
  }
  return all;
}

Branches::Branches(const BranchesConfig& config, uint64_t seed)
    : config_(branches_from_config(to_config(config))),
      costs_(costs_of(config_)),
      model_(make_model(config_.backbone, seed)),
      backbone_(dynamic_cast<Backbone*>(model_.get())) {
  HV_CHECK(backbone_, "branches: a model of kind ", config_.backbone.at("model"), " is no backbone");
  add_child("", *model_);
  if (!config_.branches) return;
  const int64_t e = backbone_->full_width(), k = classes(), h = config_.branch_hidden;
  nn::Init init(config_.backbone.at("init"), seed ^ 0x6272616e63686573);  // of its own: the backbone's weights are as alone
  fc1_ = add_parameter("branches.fc1.weight", init.weight({k * h, e}, e), {false, true});
  fc1_bias_ = add_parameter("branches.fc1.bias", init.bias(k * h, e), {false}, false);
  fc2_ = add_parameter("branches.fc2.weight", init.weight({k, h}, h), {false, false});
  fc2_bias_ = add_parameter("branches.fc2.bias", init.bias(k, h), {false}, false);
  // The gates begin at one half.
  if (config_.mixing == "input") gate_ = add_parameter("gate.weight", Tensor::zeros({k, e}), {false, true});
  gate_bias_ = add_parameter("gate.bias", Tensor::zeros({k}), {false}, false);
}

std::vector<Tensor> Branches::outputs(const Tensor& images, const Subnet& subnet) {
  const int64_t p = backbone_->width_of(subnet), e = backbone_->full_width();
  const Tensor f = config_.feature == "cls" ? Tensor(backbone_->features(images, subnet, nn::first_token))
                                            : mean_of_patches(backbone_->features(images, subnet, nn::all_tokens));  // [B, p]
  const Tensor a = backbone_->classify(f, subnet);                                                                   // [B, K]
  if (!config_.branches) return {a};
  const int64_t k = classes(), h = config_.branch_hidden;
  const Tensor units = gelu(linear(f, nn::live(fc1_, p, e), fc1_bias_.value)).view({f.size(0), k, h});
  const Tensor b = sum(units * fc2_.value, {2}) + fc2_bias_.value;
  const Tensor gate = config_.mixing == "input" ? linear(f, nn::live(gate_, p, e), gate_bias_.value) : gate_bias_.value;
  const Tensor g = sigmoid(gate), rest = sigmoid(-gate);
  // P and 1 - P are computed apart, so that neither loses its digits where it is small.
  const Tensor yes = g * sigmoid(b) + rest * sigmoid(a), no = g * sigmoid(-b) + rest * sigmoid(-a);
  return {log(yes) - log(no), b, a};
}

Tensor Branches::forward(const Tensor& images, const Subnet& subnet) { return outputs(images, subnet)[0]; }

std::vector<double> Branches::mixing() const {
  if (!config_.branches || config_.mixing == "input") return {};
  const NoGrad off;
  return sigmoid(gate_bias_.value).to_vector();
}

// Own parameters come first (nn::Module::parameters).
std::vector<Tensor> Branches::active(const Subnet& subnet) const {
  std::vector<Tensor> views;
  const int64_t p = backbone_->width_of(subnet), e = backbone_->full_width();
  for (const nn::Parameter& own : {fc1_, fc1_bias_, fc2_, fc2_bias_, gate_, gate_bias_}) {
    if (own.value.defined()) views.push_back(nn::live(own, p, e));
  }
  for (const Tensor& view : model_->active(subnet)) views.push_back(view);
  return views;
}

std::unique_ptr<ElasticModel> Branches::extract(const Subnet& subnet) const {
  const std::unique_ptr<ElasticModel> alone = model_->extract(subnet);
  BranchesConfig c = config_;
  c.backbone = alone->config();
  auto model = std::make_unique<Branches>(c, 0);
  std::vector<Tensor> parts = active(subnet);
  parts.resize(parts.size() - model_->parameters().size());
  for (const nn::Parameter& p : alone->parameters()) parts.push_back(p.value);
  const NoGrad off;
  const std::vector<nn::Parameter> to = model->parameters();
  for (size_t i = 0; i < to.size(); ++i) to[i].value.copy_(parts.at(i));
  return model;
}

namespace {

// preset                 backbone   img  P   L  heads x head_dim  stem
// branches-nano          hydravit    64  8   4  2..6 x 16         patch    the demonstration, on findings8
// branches-cxr           hydravit   128  16  6  3..8 x 32         conv:64  chest X-rays of 128 pixels
// branches-scala-nano    scala       64  8   4  6, width 24..96   patch
// branches-supervit-nano supervit    64  8   4  6 x 16            patch    sizes 32, 48, 64
// branches-thinking-nano thinking    64  8   4  3, then 6 x 16    patch
template <class C>
Preset preset_of(const std::string& name, C c, int64_t image, int64_t patch, int64_t labels,
                 const std::string& stem = "patch") {
  c.image = image;
  c.patch = patch;
  c.classes = labels;
  c.stem = stem;
  BranchesConfig branches;
  branches.backbone = to_config(c);
  return {"branches-" + name, to_config(branches)};
}

template <class C>
C nano_of(C c) {  // what cifar's defaults do not say
  c.depth = 4;
  return c;
}

std::vector<Preset> presets() {
  HydraViTConfig cxr;
  cxr.depth = 6;
  ScalaConfig scala = nano_of(ScalaConfig{});
  scala.width = 96;
  scala.heads = 6;
  scala.scale_dim = 16;
  scala.distilled = false;
  SuperViTConfig supervit = nano_of(SuperViTConfig{});
  supervit.heads = 6;
  supervit.head_dim = 16;
  supervit.sizes = "32,48,64";
  supervit.keep = "0.5,0.7,1";
  ThinkingConfig thinking = nano_of(ThinkingConfig{});
  thinking.head_dim = 16;
  thinking.stages = {3, 6};
  return {preset_of("nano", preset("nano"), 64, 8, 8), preset_of("cxr", cxr, 128, 16, 14, "conv:64"),
          preset_of("scala-nano", scala, 64, 8, 8), preset_of("supervit-nano", supervit, 64, 8, 8),
          preset_of("thinking-nano", thinking, 64, 8, 8)};
}

}  // namespace

Kind branches_kind() {
  Kind kind{"branches", presets(), {}, {}};
  kind.settings = {{"branches", "a branch per label beside the aggregated head; off: this head alone", {"on", "off"}},
                   {"mixing",
                    "what mixes branch and head of a label: scalar, a learned number; input, a map of the image's "
                    "feature",
                    {"scalar", "input"}},
                   {"feature", "what the heads read: the CLS token, or the mean of the patches", {"cls", "mean"}},
                   {"branch_hidden", "hidden units of a branch"},
                   classifiers_setting()};
  for (const auto& some : {image_settings(), token_settings()})
    kind.settings.insert(kind.settings.end(), some.begin(), some.end());
  kind.recipe = "branches";
  kind.costs = [](const Config& config) { return costs_of(branches_from_config(config)); };
  kind.make = [](const Config& config, uint64_t seed) {
    return std::make_unique<Branches>(branches_from_config(config), seed);
  };
  return kind;
}

}  // namespace hv::models
