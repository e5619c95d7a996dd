#include "train/subnets.h"

#include <algorithm>

#include "core/check.h"

namespace hv::train {
namespace {

std::string aligned(const std::string& text, const models::Axis& axis) {
  const size_t digits = axis.digits > 0 ? static_cast<size_t>(axis.digits) + 2 : 0;
  const size_t width = std::max({size_t{5}, axis.name.size(), digits});
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

}  // namespace

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

int64_t chosen_axes(const models::Subnet& subnet) {
  return std::count_if(subnet.axes.begin(), subnet.axes.end(), [](const models::Axis& axis) { return axis.chosen; });
}

const char* group_gap(const models::Subnet& before, const models::Subnet& row) {
  return chosen_axes(row) > 1 && before.axes.at(0).value != row.axes.at(0).value ? "\n" : "";
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
