#include "train/subnets.h"

#include <algorithm>

#include "core/check.h"
#include "train/io/numbers.h"

namespace hv::train {
namespace {

constexpr const char* kTheModel = "the model; it runs with ";

std::string aligned(const std::string& text, const models::Axis& axis) {
  const size_t width = std::max<size_t>(5, axis.name.size());
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

}  // namespace

std::vector<int64_t> parse_heads(const std::string& option, const std::string& text) {
  std::vector<int64_t> heads;
  for (const std::string& part : split(text, ',')) {
    const size_t dash = part.find('-', 1);
    int64_t first = 0, last = 0;
    const bool good = dash == std::string::npos
                          ? parse_number(part, first) && parse_number(part, last)
                          : parse_number(part.substr(0, dash), first) && parse_number(part.substr(dash + 1), last);
    HV_CHECK_USAGE(good && first >= 1 && first <= last && last <= 1024, option, ": '", text,
                   "' is no list of heads; write 3-8, 3,5,8 or all");
    for (int64_t k = first; k <= last; ++k) heads.push_back(k);
  }
  std::sort(heads.begin(), heads.end());
  HV_CHECK_USAGE(std::adjacent_find(heads.begin(), heads.end()) == heads.end(), option, ": '", text,
                 "' names a width twice; use --weights to draw one more often");
  return heads;
}

std::vector<models::Subnet> choose_subnets(const std::vector<models::Subnet>& all, const std::string& text,
                                           const std::string& whose) {
  if (text.empty() || text == kAllSubnets) return all;
  const std::string option = concat("--", kSubnetsOption);
  const models::Axis &first = all.front().axes.at(0), &last = all.back().axes.at(0);
  std::vector<models::Subnet> chosen;
  for (const int64_t value : parse_heads(option, text)) {
    const size_t before = chosen.size();
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [&](const models::Subnet& subnet) { return subnet.axes.at(0).value == static_cast<double>(value); });
    HV_CHECK_USAGE(chosen.size() > before, option, ": ", value, " is outside ", whose, axis_text(first), " to ",
                   axis_text(last), " ", first.name);
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
