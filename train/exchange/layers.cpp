#include "train/exchange/layers.h"

#include "models/kinds.h"

namespace hv::train {

bool describe_layers(TimmModel& model) {
  std::optional<models::LayeredVit> layers = models::layered_vit(model.config);
  if (!layers) return false;
  const bool alone = models::costs(model.config).size() == 1;
  const std::optional<models::PlainVit> plain = alone ? layers->plain() : std::nullopt;
  model.vit = plain ? *plain : layers->outer;
  model.layers = plain ? std::nullopt : std::move(layers);
  return true;
}

std::vector<TimmShape> our_shapes(const models::Config& config) {
  const models::LayeredVit layers = *models::layered_vit(config);
  std::vector<TimmShape> all = timm_shapes(layers.outer);
  for (TimmShape& timm : all) {
    if (timm.name.rfind("blocks.", 0) != 0) continue;
    const size_t dot = timm.name.find('.', 7);
    const models::LayeredVit::Block& block = layers.blocks.at(std::stoul(timm.name.substr(7, dot - 7)));
    const std::string part = timm.name.substr(dot + 1);
    if (part.rfind("attn.qkv", 0) == 0) timm.shape[0] = 3 * block.width();
    if (part == "attn.proj.weight") timm.shape[1] = block.width();
    if (part.rfind("mlp.fc1", 0) == 0) timm.shape[0] = block.hidden;
    if (part == "mlp.fc2.weight") timm.shape[1] = block.hidden;
  }
  return all;
}

std::vector<TimmShape> shapes_of(const TimmModel& model) {
  return model.layers ? our_shapes(model.config) : timm_shapes(model.vit);
}

void put_layers(const std::function<Tensor(const std::string& name)>& ours, TimmModel& model) {
  model.tensors.clear();
  for (const TimmShape& shape : shapes_of(model)) {
    const Tensor value = ours(shape.name);
    model.tensors.push_back({shape.name, shape.shape, model.layers ? value : timm_view(value, shape, model.vit)});
  }
}

std::vector<NamedTensor> our_parameters(const TimmModel& model) {
  const NoGrad off;
  std::vector<NamedTensor> all;
  for (const TimmShape& shape : our_shapes(model.config)) {
    const Tensor ours = Tensor::empty(shape.shape), value = model.tensor(shape.name).packed();
    const Tensor view = model.layers ? ours : timm_view(ours, shape, model.vit);
    view.copy_(value.view(view.shape()));
    all.push_back({shape.name, ours});
  }
  return all;
}

}  // namespace hv::train
