// The weights of a checkpoint, as models that other programs' files hold (train/exchange/timm_layout.h).
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "train/exchange/timm_layout.h"

namespace hv::train {

// Those of the subnetworks that timm's models can be. What resizes images or drops tokens is left out, and that is said; if
// nothing is left, it is an error (Fault::usage).
std::vector<models::Subnet> timm_subnets(const models::Config& model, const std::vector<models::Subnet>& asked);

// The weights of a checkpoint (file or run folder), read once. No model is built and no random number is drawn, so the memory
// used is that of the weights; except for one of several subnetworks whose blocks have sizes of their own.
class TimmSource {
 public:
  TimmSource(const std::string& run_or_file, bool ema);
  const Header& header() const { return checkpoint_.header; }
  const std::string& path() const { return checkpoint_.path; }
  const std::vector<models::Subnet>& subnets() const { return subnets_; }
  TimmModel whole() const;                             // the nested model; if it has one subnetwork, that: invariant 3
  TimmModel part(const models::Subnet& subnet) const;  // it alone

 private:
  TimmModel layered(const models::Subnet* subnet) const;
  TimmModel read(const models::PlainVit& part, bool nested) const;
  std::string prefix_;
  std::vector<models::Subnet> subnets_;
  Checkpoint checkpoint_;
  TimmModel whole_;  // without its tensors
};
// The last subnetwork whose first axis has this value (of this width, that of all tokens), or with 0 the whole model.
TimmModel load_timm(const std::string& run_or_file, double first_axis, bool ema);

}  // namespace hv::train
