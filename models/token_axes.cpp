#include "models/token_axes.h"

#include <algorithm>
#include <cmath>

#include "models/config_reader.h"

namespace hv::models {

TokenAxes::TokenAxes(const TokenConfig& c, int64_t image, int64_t patch, int64_t depth)
    : sizes_{image},
      rates_{1},
      tables_(c.positions == "tables"),
      names_sizes_(!c.sizes.empty()),
      names_rates_(!c.keep.empty()) {
  HV_CHECK_INPUT(tables_ || c.positions == "resized", "model: positions: expected tables or resized, found '", c.positions,
                 "'");
  if (names_sizes_) sizes_ = whole_list(c.sizes, {"sizes", "image sizes", "16,24,32", 1, static_cast<double>(image)});
  for (const int64_t size : sizes_) {
    HV_CHECK_INPUT(size % patch == 0, "model: ", names_sizes_ ? "sizes: " : "", "the patch must divide the image: ", patch,
                   " and ", size);
  }
  if (names_rates_) rates_ = real_list(c.keep, {"keep", "rates", "0.5,0.7,1", 0, 1});
  HV_CHECK_INPUT(rates_[0] > 0, "model: keep: a rate of 0 keeps no tokens; expected rates above 0, up to 1");
  constexpr int64_t kMostViews = 64;
  HV_CHECK_INPUT(views() <= kMostViews, "model: sizes: ", sizes_.size(), " sizes with ", rates_.size(), " rates are ", views(),
                 " subnetworks of a width, at most ", kMostViews, " are accepted");
  if (c.prune == "quarters") {
    for (const int64_t block : {depth / 4, depth / 2, 3 * depth / 4}) {
      // After the last block only CLS is read, so there is nothing to prune.
      if (block + 1 < depth && (prune_.empty() || block > prune_.back())) prune_.push_back(block);
    }
  } else {
    prune_ = whole_list(c.prune, {"prune", "blocks", "3,6,9", 0, static_cast<double>(depth - 1)});
  }
}

int64_t TokenAxes::size_index(int64_t subnet) const { return subnet % views() / std::ssize(rates_); }

View TokenAxes::view(int64_t subnet) const {
  return {sizes_.at(static_cast<size_t>(size_index(subnet))), rates_.at(static_cast<size_t>(subnet % std::ssize(rates_)))};
}

bool TokenAxes::prunes(int64_t block) const { return std::binary_search(prune_.begin(), prune_.end(), block); }

std::vector<Subnet> TokenAxes::with_views(const std::vector<Subnet>& widths) const {
  std::vector<Subnet> all;
  for (const Subnet& width : widths) {
    for (int64_t v = 0; v < views(); ++v) {
      Subnet subnet = width;
      subnet.id = std::ssize(all);
      const auto add = [&](const std::string& axis, double value, int digits) {
        const std::string text = shortest(value);
        subnet.name += (subnet.name.empty() ? "" : "-") + axis + text;
        subnet.label += (subnet.label.empty() ? "" : ",") + axis + "=" + text;
        const auto behind = std::find_if(subnet.axes.begin(), subnet.axes.end(), [](const Axis& a) { return !a.chosen; });
        subnet.axes.insert(behind, {axis, value, true, digits});
      };
      if (names_sizes_) add(kSizeAxis, static_cast<double>(view(v).size), 0);
      int digits = 0;  // of the longest rate, "0.75"
      for (const double rate : rates_) digits = std::max(digits, static_cast<int>(shortest(rate).size()) - 2);
      if (names_rates_) add(kRateAxis, view(v).keep, digits);
      all.push_back(subnet);
    }
  }
  return all;
}

int64_t others_kept(int64_t tokens, int64_t first, double keep) {
  return std::min(tokens - first, static_cast<int64_t>(std::ceil(keep * static_cast<double>(tokens))));
}

TokenConfig token_config_of(const TokenConfig& c, const View& view) {
  TokenConfig one = c;
  if (!c.sizes.empty()) one.sizes = std::to_string(view.size);
  if (!c.keep.empty()) one.keep = shortest(view.keep);
  one.positions = "tables";  // there is one
  return one;
}

std::vector<Setting> token_settings() {
  return {{"sizes", "sizes that images are resized to, in pixels, as 16,24,32; default: their own"},
          {"keep", "rates of tokens that the pruning blocks keep, as 0.5,0.7,1; default: 1"},
          {"prune", "blocks, counted from 0, that prune, as 3,6,9; quarters: those at 1/4, 1/2 and 3/4 of the depth"},
          {"positions", "a table per size, or the table of the largest size, resized to others", {"tables", "resized"}}};
}

}  // namespace hv::models
