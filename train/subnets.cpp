#include "train/subnets.h"

#include <algorithm>

#include "core/check.h"

namespace hv::train {
namespace {

constexpr const char* kTheModel = "the model; it runs with ";

std::string aligned(const std::string& text, const models::Axis& axis) {
  const size_t digits = axis.digits > 0 ? static_cast<size_t>(axis.digits) + 2 : 0;
  const size_t width = std::max({size_t{5}, axis.name.size(), digits});
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

}  // namespace

std::vector<models::Subnet> choose_subnets(const std::vector<models::Subnet>& all, const std::string& text,
                                           const std::string& whose) {
  if (text.empty() || text == kAllSubnets) return all;
  std::vector<double> values;
  for (const models::Subnet& subnet : all) values.push_back(subnet.axes.at(0).value);
  const std::vector<bool> named = choose_values(concat("--", kSubnetsOption), text, values, whose, all.front().axes.at(0).name);
  std::vector<models::Subnet> chosen;
  for (size_t i = 0; i < all.size(); ++i) {
    if (named[i]) chosen.push_back(all[i]);
  }
  return chosen;
}

std::vector<models::Subnet> choose_subnets(const models::ElasticModel& model, const std::string& text) {
  return choose_subnets(model.subnets(), text, kTheModel);
}

std::vector<models::Subnet> choose_trained(const std::vector<models::Subnet>& all, const Header& header,
                                           const std::string& text) {
  if (!text.empty() && text != kAllSubnets) return choose_subnets(all, text, kTheModel);
  const auto found = header.options.find(kSubnetsOption);
  return choose_subnets(all, found == header.options.end() ? "" : found->second, kTheModel);
}

std::vector<models::Subnet> trained_subnets(const models::ElasticModel& model, const Header& header) {
  return choose_trained(model.subnets(), header, kAllSubnets);
}

std::string axis_text(const models::Axis& axis) {
  const auto whole = static_cast<int64_t>(axis.value);
  return static_cast<double>(whole) == axis.value ? std::to_string(whole) : concat(axis.value);
}

Json axes_json(const models::Subnet& subnet, bool all) {
  Json json;
  for (const models::Axis& axis : subnet.axes) {
    if (!all && !axis.chosen) continue;
    const auto whole = static_cast<int64_t>(axis.value);
    json.add(axis.name, static_cast<double>(whole) == axis.value ? Json(whole) : Json(axis.value));
  }
  return json;
}

std::string axis_names(const models::Subnet& subnet) {
  std::string text;
  for (const models::Axis& axis : subnet.axes) text += (text.empty() ? "" : " ") + aligned(axis.name, axis);
  return text;
}

std::string axis_values(const models::Subnet& subnet) {
  std::string text;
  for (const models::Axis& axis : subnet.axes) text += (text.empty() ? "" : " ") + aligned(axis_text(axis), axis);
  return text;
}

std::string subnet_text(const models::Subnet& subnet) {
  std::string text;
  for (const models::Axis& axis : subnet.axes) {
    if (!axis.chosen) continue;
    const bool single = axis.value == 1 && axis.name.ends_with('s');
    text +=
        concat(text.empty() ? "" : ", ", axis_text(axis), " ", single ? axis.name.substr(0, axis.name.size() - 1) : axis.name);
  }
  return text;
}

std::string short_text(const models::Subnet& subnet) {
  std::string text;
  for (const models::Axis& axis : subnet.axes) {
    if (axis.chosen) text += (text.empty() ? "" : "/") + axis_text(axis);
  }
  return text;
}

}  // namespace hv::train
