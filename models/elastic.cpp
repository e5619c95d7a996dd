#include "models/elastic.h"

namespace hv::models {

const Subnet& ElasticModel::subnet(double first_axis) const {
  std::string known;
  for (const Subnet& s : subnets()) {
    if (s.axes.at(0).value == first_axis) return s;
    known += concat(known.empty() ? "" : ", ", s.axes[0].value);
  }
  fail(Fault::usage, subnets()[0].axes[0].name, ": this model has no subnetwork ", first_axis, "; it has ", known);
}

}  // namespace hv::models
