#include "models/elastic.h"

namespace hv::models {

std::optional<double> Subnet::on(const std::string& axis) const {
  for (const Axis& own : axes) {
    if (own.name == axis) return own.value;
  }
  return {};
}

const Subnet& ElasticModel::subnet(double first_axis) const {
  std::string known;
  double last = -1;
  for (auto s = subnets().rbegin(); s != subnets().rend(); ++s) {
    if (s->axes.at(0).value == first_axis) return *s;
    if (s->axes[0].value != last) known = concat(s->axes[0].value, known.empty() ? "" : ", ") + known;
    last = s->axes[0].value;
  }
  fail(Fault::usage, subnets()[0].axes[0].name, ": this model has no subnetwork ", first_axis, "; it has ", known);
}

Tensor probabilities(const ElasticModel& model, const Tensor& logits) {
  return model.independent() ? sigmoid(logits) : softmax(logits);
}

}  // namespace hv::models
