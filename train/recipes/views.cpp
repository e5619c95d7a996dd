#include "train/recipes/views.h"

#include "nn/losses.h"

namespace hv::train {
namespace {

double value_of(const models::Subnet& subnet, const std::string& axis) {
  for (const models::Axis& a : subnet.axes) {
    if (a.name == axis) return a.value;
  }
  return 0;
}

// The axes other than those of tokens.
bool same_width(const models::Subnet& a, const models::Subnet& b) {
  for (size_t i = 0; i < a.axes.size(); ++i) {
    const std::string& name = a.axes[i].name;
    if (name != "px" && name != "keep" && a.axes[i].value != b.axes[i].value) return false;
  }
  return true;
}

}  // namespace

std::vector<std::vector<Rates>> views_of(const std::vector<models::Subnet>& subnets) {
  std::vector<std::vector<Rates>> widths;
  for (const models::Subnet& subnet : subnets) {
    if (widths.empty() || !same_width(widths.back()[0][0], subnet)) widths.emplace_back();
    std::vector<Rates>& sizes = widths.back();
    if (sizes.empty() || value_of(sizes.back()[0], "px") != value_of(subnet, "px")) sizes.emplace_back();
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
