#include "train/choice/choose.h"

#include <algorithm>

#include "core/check.h"
#include "train/io/fields.h"
#include "train/io/numbers.h"
#include "train/io/ranges.h"

namespace hv::train {
namespace {

constexpr const char* kTheModel = "the model; it runs with ";

// "; there are 54, heads3-px16-keep0.5 to heads8-px32-keep1", and a proposal if one is near.
std::string what_there_is(const std::vector<models::Subnet>& all, const std::string& pattern) {
  std::vector<std::string> names;
  bool begins = false;
  for (const models::Subnet& subnet : all) {
    names.push_back(subnet.name);
    begins = begins || subnet.name.starts_with(pattern + "-");
  }
  const std::string known = names.size() == 1 ? concat("; there is only ", names[0])
                                              : concat("; there are ", names.size(), ", ", names.front(), " to ", names.back());
  return known + (begins ? concat("; ", pattern, "-* names all of its views") : did_you_mean(pattern, names));
}

}  // namespace

// The usual loop: on a mismatch, go back to the last * and let it stand for one character more.
bool fits_pattern(const std::string& text, const std::string& pattern) {
  size_t t = 0, p = 0, star = std::string::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++t;
      ++p;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string::npos;
}

std::vector<models::Subnet> choose_names(const std::vector<models::Subnet>& all, const std::string& patterns,
                                         const std::string& option) {
  std::vector<bool> named(all.size());
  for (const std::string& pattern : split(patterns, ',')) {
    bool found = false;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!fits_pattern(all[i].name, pattern)) continue;
      found = named[i] = true;
    }
    HV_CHECK_USAGE(found, "--", option, ": '", pattern, "' fits the name of no subnetwork", what_there_is(all, pattern));
  }
  std::vector<models::Subnet> chosen;
  for (size_t i = 0; i < all.size(); ++i) {
    if (named[i]) chosen.push_back(all[i]);
  }
  return chosen;
}

std::vector<models::Subnet> choose_subnets(const std::vector<models::Subnet>& all, const SubnetChoice& choice,
                                           const std::string& whose) {
  std::vector<models::Subnet> chosen = all;
  if (choice.by_names()) chosen = choose_names(all, choice.names);
  if (!choice.by_heads()) return chosen;
  std::vector<double> values;
  for (const models::Subnet& subnet : all) {
    const double value = subnet.axes.at(0).value;
    if (values.empty() || values.back() != value) values.push_back(value);
  }
  const std::vector<bool> named =
      choose_values(concat("--", kSubnetsOption), choice.heads, values, whose, all.front().axes.at(0).name);
  std::erase_if(chosen, [&](const models::Subnet& subnet) {
    return !named[static_cast<size_t>(std::find(values.begin(), values.end(), subnet.axes[0].value) - values.begin())];
  });
  HV_CHECK_USAGE(!chosen.empty(), "--", kSubnetsOption, " ", choice.heads, " and --", kNamesOption, " ", choice.names,
                 ": no subnetwork is in both; leave out one of the two");
  return chosen;
}

std::vector<models::Subnet> choose_subnets(const models::ElasticModel& model, const SubnetChoice& choice) {
  return choose_subnets(model.subnets(), choice, kTheModel);
}

std::vector<models::Subnet> choose_trained(const std::vector<models::Subnet>& all, const Header& header,
                                           const SubnetChoice& choice) {
  if (choice.by_heads()) return choose_subnets(all, choice, kTheModel);
  const auto stored = [&](const char* option) {
    const auto found = header.options.find(option);
    return found == header.options.end() ? "" : found->second;
  };
  const std::vector<models::Subnet> trained = choose_subnets(all, {stored(kSubnetsOption), stored(kNamesOption)}, kTheModel);
  return choice.by_names() ? choose_names(trained, choice.names) : trained;
}

std::vector<models::Subnet> trained_subnets(const models::ElasticModel& model, const Header& header) {
  return choose_trained(model.subnets(), header, {});
}

}  // namespace hv::train
