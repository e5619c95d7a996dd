#include "train/views/views.h"

#include <algorithm>

#include "train/choice/few.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

std::vector<models::Axis> chosen(const models::Subnet& subnet) {
  std::vector<models::Axis> axes;
  for (const models::Axis& axis : subnet.axes) {
    if (axis.chosen) axes.push_back(axis);
  }
  return axes.empty() ? subnet.axes : axes;  // a model's only subnetwork needs none
}

}  // namespace

Views grouped_views(const std::vector<models::Subnet>& subnets) {
  Views views;
  std::vector<double> values;  // of the first axis
  for (const models::Subnet& subnet : subnets) {
    const std::vector<models::Axis> axes = chosen(subnet), last = chosen(subnets.back());
    const auto at = std::find(values.begin(), values.end(), axes[0].value);
    views.group.push_back(static_cast<size_t>(at - values.begin()));
    if (at == values.end()) values.push_back(axes[0].value);
    views.full.push_back(std::equal(axes.begin() + 1, axes.end(), last.begin() + 1, last.end(),
                                    [](const auto& a, const auto& b) { return a.value == b.value; }));
  }
  views.groups = values.size();
  return views;
}

std::vector<size_t> a_few(const Views& views, size_t most) {
  std::vector<size_t> all;
  for (size_t i = 0; i < views.group.size(); ++i) {
    if (!views.several_axes() || views.full[i]) all.push_back(i);
  }
  return views.several_axes() ? evenly(std::move(all), most) : all;
}

std::string first_axis_text(const models::Subnet& subnet) { return subnet_text({"", "", 0, {chosen(subnet)[0]}}); }

std::string first_axis_name(const models::Subnet& subnet) { return chosen(subnet)[0].name; }

std::string other_axes_text(const models::Subnet& subnet) {
  const std::vector<models::Axis> axes = chosen(subnet);
  std::string text;
  for (size_t i = 1; i < axes.size(); ++i) text += concat(i == 1 ? "" : i + 1 == axes.size() ? " and " : ", ", axes[i].name);
  return text;
}

std::string chosen_axes_text(const models::Subnet& subnet) {
  std::string text;
  for (const models::Axis& axis : chosen(subnet)) text += (text.empty() ? "" : "/") + axis.name;
  return text;
}

}  // namespace hv::train
