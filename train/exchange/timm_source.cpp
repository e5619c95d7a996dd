#include "train/exchange/timm_source.h"

#include <algorithm>
#include <cmath>

#include "models/kinds.h"
#include "models/positions.h"
#include "train/exchange/layers.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/state/load.h"
#include "train/state/run_folder.h"

namespace hv::train {
namespace {

using models::PlainVit;

// The tensor's name in our model: classifiers may have another one there.
std::string our_name(const std::string& timm, const PlainVit& vit) {
  for (const auto& [theirs, ours] : {std::pair{"head.", vit.head}, std::pair{"head_dist.", vit.head_dist}}) {
    if (timm.rfind(theirs, 0) == 0) return concat(ours, '.', timm.substr(std::string(theirs).size()));
  }
  return timm == "pos_embed" ? vit.pos_embed : timm;
}

std::string not_plain(const models::Config& model) {
  return concat(": a model of kind ", model.at("model"), ", which is no plain vision transformer");
}

}  // namespace

std::vector<models::Subnet> timm_subnets(const models::Config& model, const std::vector<models::Subnet>& asked) {
  std::vector<models::Subnet> some = asked;
  std::erase_if(some, [&](const models::Subnet& subnet) {
    const std::optional<PlainVit> vit = models::plain_vit(model, subnet);
    return vit && !vit->in_timm();
  });
  const size_t left = asked.size() - some.size();
  const std::string others =
      left == 1 ? asked[0].name + " resizes images or drops tokens" : "they resize images or drop tokens";
  HV_CHECK_USAGE(!some.empty(), "--format safetensors: ", others,
                 ", which no model of timm's does; export them with --format "
                 "onnx, or the whole model with --heads all");
  if (left > 0) {
    say(concat("NOTICE: ", left, " of ", asked.size(),
               " subnetworks resize images or drop tokens, which no model of timm's "
               "does, and are left out; --format onnx exports them"));
  }
  return some;
}

TimmSource::TimmSource(const std::string& run_or_file, bool ema)
    : prefix_(ema ? "ema." : "model."),
      checkpoint_(load_run(run_or_file, say, [&](const std::string& name) { return name.rfind(prefix_, 0) == 0; })) {
  const Header& header = checkpoint_.header;
  const std::string& path = checkpoint_.path;
  HV_CHECK_USAGE(!ema || !checkpoint_.tensors.empty(), path, ": has no averaged weights; leave out --ema");
  std::optional<PlainVit> vit;
  whole_.config = header.model;
  bool layered = false;
  try {
    for (const models::Cost& cost : models::costs(header.model)) subnets_.push_back(cost.subnet);
    layered = describe_layers(whole_);
    vit = layered ? whole_.vit : models::plain_vit(header.model);
  } catch (const Error& error) {
    fail(Fault::input, path, ": describes no model this program can build: ", error.what());
  }
  HV_CHECK_USAGE(vit, path, not_plain(header.model));
  HV_CHECK_USAGE(layered || models::kind_of(header.model).alone, path, ": a model of kind ", header.model.at("model"),
                 " is more than the plain vision transformer in it, and other programs do not know the rest");
  whole_.vit = *vit;
  HV_CHECK_INPUT(static_cast<int64_t>(header.class_names.size()) == vit->classes, path, ": names ", header.class_names.size(),
                 " classes, its model has ", vit->classes);
  for (const std::string& name : header.class_names) whole_.class_names.push_back(valid_utf8(name));
  whole_.mean = header.mean;
  whole_.std = header.std;
  for (const TimmShape& full : layered ? our_shapes(header.model) : timm_shapes(*vit)) {
    const std::string name = prefix_ + our_name(full.name, *vit);
    const Tensor& value = checkpoint_.tensor(name);
    HV_CHECK_INPUT(value.shape() == full.shape, path, ": tensor ", name, " is ", value.shape(), ", its model wants ",
                   full.shape);
  }
}

TimmModel TimmSource::whole() const {
  if (subnets_.size() == 1) return part(subnets_[0]);
  return models::kind_of(whole_.config).layers ? layered(nullptr) : read(whole_.vit, true);
}

// Whole, or a subnetwork alone, whose weights lie in pieces if there are several.
TimmModel TimmSource::layered(const models::Subnet* subnet) const {
  TimmModel model = whole_;
  const auto value_of = [&](const std::string& name) { return checkpoint_.tensor(prefix_ + name); };
  if (subnet == nullptr || subnets_.size() == 1) {
    put_layers(value_of, model);
    return model;
  }
  const auto whole = models::make_model(whole_.config, 0);  // as large as the weights, which were compared with it
  restore_parameters(checkpoint_, prefix_, *whole);
  const auto alone = whole->extract(*subnet);
  model.config = alone->config();
  describe_layers(model);
  put_layers([&](const std::string& name) { return alone->parameter(name).detach(); }, model);
  return model;
}

TimmModel TimmSource::part(const models::Subnet& subnet) const {
  if (models::kind_of(whole_.config).layers) return layered(&subnet);
  const std::optional<PlainVit> vit = models::plain_vit(whole_.config, subnet);
  HV_CHECK_USAGE(vit, "--heads: ", subnet.name, " is no plain vision transformer");
  return read(*vit, false);
}

// `part` says where it lies in the model.
TimmModel TimmSource::read(const PlainVit& part, bool nested) const {
  TimmModel model = whole_;
  const double q_factor = std::sqrt(static_cast<double>(part.head_size()) / static_cast<double>(part.scale_dim));
  HV_CHECK_USAGE(!nested || q_factor == 1, checkpoint_.path, ": its scores are not multiplied by 1 / sqrt(", part.head_size(),
                 "), the size of its heads; export one width with --heads");
  if (!nested) {
    model.vit = part;
    model.vit.scale_dim = part.head_size();
    model.config = *models::kind_of(whole_.config).alone(model.vit, whole_.config);
  }
  for (const TimmShape& timm : timm_shapes(part)) {
    const Tensor& value = checkpoint_.tensor(prefix_ + our_name(timm.name, part));
    TimmShape stored = timm;
    if (is_positions(timm.name)) stored.shape[1] = value.size(1);
    TimmTensor tensor{timm.name, timm.shape, timm_view(value, stored, part)};
    if (stored.shape != timm.shape) tensor.value = models::resize_positions(tensor.value, part.first_tokens(), part.tokens());
    if (q_factor != 1) tensor.value = with_scaled_q(tensor, q_factor);
    model.tensors.push_back(tensor);
  }
  return model;
}

TimmModel load_timm(const std::string& run_or_file, double first_axis, bool ema) {
  const TimmSource source(run_or_file, ema);
  HV_CHECK_USAGE(models::kind_of(source.header().model).plain, source.path(), not_plain(source.header().model));
  if (first_axis == 0) return source.whole();
  const std::vector<models::Subnet>& all = source.subnets();
  for (auto subnet = all.rbegin(); subnet != all.rend(); ++subnet) {  // of this width, the last one has all tokens
    if (subnet->axes.at(0).value == first_axis) return source.part(*subnet);
  }
  fail(Fault::usage, "--heads: ", first_axis, " is outside the model; it runs with ", first_axes(all));
}

}  // namespace hv::train
