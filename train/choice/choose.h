// Which subnetworks: the texts of two options, as every command takes them.
//
//   --heads 3-8         values of the first axis (train/io/ranges.h): every subnetwork of these widths
//   --subnets 'A,B'     names, in which * stands for any text and ? for any character: heads5-*, *-px24-keep1, heads5
// Invariants
//   1. The subnetworks of both, in the order of the model. None is an error (Fault::usage).
//   2. A value or a pattern that fits nothing is an error (Fault::usage) that begins with the option and shows what there is.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/state/checkpoint.h"

namespace hv::train {

// The option of the first axis has the name of HydraViT's axis, also for a model whose first axis has another name.
inline constexpr const char* kSubnetsOption = "heads";
inline constexpr const char* kNamesOption = "subnets";
inline constexpr const char* kAllSubnets = "all";  // the word for all, for both
inline constexpr const char* kNamesHelp = "of these, those with such names: patterns with * and ?, as heads5-*,*-keep1";

struct SubnetChoice {
  std::string heads, names;  // of --heads and of --subnets; "" and "all" mean all
  SubnetChoice() = default;
  SubnetChoice(std::string of_heads, std::string of_names = "") : heads(std::move(of_heads)), names(std::move(of_names)) {}
  SubnetChoice(const char* of_heads) : heads(of_heads) {}
  bool by_heads() const { return !heads.empty() && heads != kAllSubnets; }
  bool by_names() const { return !names.empty() && names != kAllSubnets; }
  bool all() const { return !by_heads() && !by_names(); }
};

// Whether the pattern fits the whole text.
bool fits_pattern(const std::string& text, const std::string& pattern);

// The subnetworks of `all` that the choice names. Errors of --heads say "--heads: 9 is outside <whose>".
std::vector<models::Subnet> choose_subnets(const std::vector<models::Subnet>& all, const SubnetChoice& choice,
                                           const std::string& whose);
std::vector<models::Subnet> choose_subnets(const models::ElasticModel& model, const SubnetChoice& choice);
// Those that patterns name; `option` is that of the patterns, without dashes.
std::vector<models::Subnet> choose_names(const std::vector<models::Subnet>& all, const std::string& patterns,
                                         const std::string& option = kNamesOption);
// The same of a checkpoint's model. --heads names values of the model, also those it was not trained for; without --heads,
// patterns choose among those it was trained for.
std::vector<models::Subnet> choose_trained(const std::vector<models::Subnet>& all, const Header& header,
                                           const SubnetChoice& choice);
std::vector<models::Subnet> trained_subnets(const models::ElasticModel& model, const Header& header);  // those

}  // namespace hv::train
