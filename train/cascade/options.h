// The options of a cascade, for commands: --cascade 2,6 names the stages; the others say when an answer is sure enough.
// Thread rule: one thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "train/cascade/cascade.h"
#include "train/io/fields.h"

namespace hv::train {

struct CascadeChoice {
  std::string stages, measure = "entropy", entropy_classes = "10";
  Fields fields(Field when);  // `when`: the option of the thresholds, which comes last
};
// The stages of a model. Without --cascade there are none, unless the model continues and `wanted` (an option that asks for a
// cascade, as "--threshold") is given: then its subnetworks are the stages. What does not fit is an error (Fault::usage).
std::optional<Cascade> chosen_cascade(const CascadeChoice& choice, const std::set<std::string>& given,
                                      const models::ElasticModel& model, const std::string& wanted);
void add_stages(std::vector<models::Subnet>& subnets, const Cascade& cascade);  // those that are missing, in the model's order

// Numbers from 0 on, finite: "0.2,0.5". Anything else is an error (Fault::usage) that begins with `option`.
std::vector<double> parse_thresholds(const std::string& option, const std::string& text);
// How many images fit into a pass, at most `most`, if as many wait for each later stage; see train/predict/need.h.
int64_t cascade_batch(const std::string& where, const models::ElasticModel& model, const Cascade& cascade, int64_t most,
                      double kept = 0);
std::string cascade_text(const Cascade& cascade);  // "heads=2, then heads=6"

}  // namespace hv::train
