// What predict --explain draws: a row per picture with a column per width (predict.h), or a row per picture and width with a
// column per label (label_heat.h). The latter for labels that do not exclude each other, or if labels are named.
// Thread rule: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/answers/label_heat.h"
#include "train/predict/need.h"

namespace hv::train {

inline constexpr size_t kMostExplained = 32;  // rows of pictures still make a PNG that every reader accepts

struct Drawing {
  bool any = false, by_label = false;
  std::vector<int64_t> labels = {};  // those that were named
  double bytes = 0;                  // while it is made
  Pass pass() const { return by_label ? Pass::relevance : any ? Pass::rollout : Pass::forward; }
  data::Image picture(const std::vector<Outcome>& outcomes, const std::vector<models::Subnet>& widths) const;
  std::string legend(const std::vector<models::Subnet>& widths) const;  // what its rows, columns and colours are
};

// `labels`: those named, as labels_named() reads them, if any were. More rows than kMostExplained are an error (Fault::usage).
Drawing drawing_of(const models::ElasticModel& model, const Header& header, const std::optional<std::string>& labels,
                   size_t images, size_t widths);

}  // namespace hv::train
