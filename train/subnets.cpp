#include "train/subnets.h"

#include "core/check.h"
#include "train/sampler.h"

namespace hv::train {

std::vector<models::Subnet> choose_widths(const models::ElasticModel& model, const std::string& heads) {
  if (heads.empty()) return model.subnets();
  std::vector<models::Subnet> widths;
  for (const int64_t k : parse_heads("--heads", heads)) {
    bool found = false;
    for (const models::Subnet& subnet : model.subnets()) {
      if (subnet.key != k) continue;
      widths.push_back(subnet);
      found = true;
    }
    HV_CHECK_USAGE(found, "--heads: ", k, " is outside the model; it runs with ", model.subnets().front().key, " to ",
                   model.subnets().back().key, " heads");
  }
  return widths;
}

std::string trained_heads(const Header& header) {
  const auto found = header.options.find("heads");
  return found == header.options.end() ? "" : found->second;
}

}  // namespace hv::train
