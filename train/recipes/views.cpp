#include "train/recipes/views.h"

#include "models/plain_vit.h"
#include "nn/losses.h"

namespace hv::train {
namespace {

// The axes other than those of tokens.
bool same_width(const models::Subnet& a, const models::Subnet& b) {
  for (size_t i = 0; i < a.axes.size(); ++i) {
    const std::string& name = a.axes[i].name;
    if (name != models::kSizeAxis && name != models::kRateAxis && a.axes[i].value != b.axes[i].value) return false;
  }
  return true;
}

}  // namespace

std::vector<std::vector<Rates>> views_of(const std::vector<models::Subnet>& subnets) {
  std::vector<std::vector<Rates>> widths;
  for (const models::Subnet& subnet : subnets) {
    if (widths.empty() || !same_width(widths.back()[0][0], subnet)) widths.emplace_back();
    std::vector<Rates>& sizes = widths.back();
    if (sizes.empty() || sizes.back()[0].on(models::kSizeAxis) != subnet.on(models::kSizeAxis)) sizes.emplace_back();
    sizes.back().push_back(subnet);
  }
  return widths;
}

void run_views(models::ElasticModel& model, const std::vector<models::Subnet>& nets, const std::vector<bool>& full,
               const data::Batch& batch, const ViewLosses& losses, const Learn& learn) {
  const nn::Distillation transfer{1};
  Tensor teacher;  // logits without their graph
  for (size_t i = 0; i < nets.size(); ++i) {
    Tensor loss;
    {
      const Tensor logits = model.forward(batch.images, nets[i]);
      const bool taught = !full[i] && teacher.defined();
      if (!taught || losses.labels > 0) loss = cross_entropy(logits, batch.targets, losses.smoothing);
      if (taught) {
        const Tensor own = transfer(logits, teacher) * losses.teacher;
        loss = losses.labels > 0 ? loss * losses.labels + own : own;
      }
      if (full[i]) teacher = logits.detach();
    }
    learn(nets[i], loss);
  }
}

}  // namespace hv::train
