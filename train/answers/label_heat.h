// What speaks for single labels of a picture: heat per label (models/relevance.h), at every width, and the picture that shows
// it.
//
// Invariant: pictures are explained one at a time, for backward keeps what forward made; the caller has asked need.h about that
// (Pass::relevance).
// Thread rule: as predict.h.
#pragma once

#include <string>
#include <vector>

#include "train/predict/predict.h"

namespace hv::train {

inline constexpr size_t kLabelsShown = 4;  // if none are named
inline constexpr size_t kMostLabels = 16;  // that can be named

// Indices of the labels in "Mass,Nodule". A name may also be written as in the names of metrics (findings.h, label_keys). An
// unknown one is an error (Fault::usage) that names the nearest and the known ones; so are one that is named twice and too
// many.
std::vector<int64_t> labels_named(const std::string& text, const std::vector<std::string>& class_names);

class LabelExplainer {
 public:
  // `labels`: indices; empty: the most probable ones of each picture at the widest width.
  LabelExplainer(models::ElasticModel& model, const Header& header, const std::vector<models::Subnet>& widths,
                 const Thresholds& thresholds, int64_t topk, std::vector<int64_t> labels);
  // As Predictor::look of one picture, with Outcome::labels. A model without attention maps is an error (Fault::usage).
  Outcome look(const ImagePath& image) const;

 private:
  models::ElasticModel& model_;
  const Header& header_;
  Predictor predictor_;  // of all classes, whatever topk is
  size_t topk_;
  std::vector<int64_t> labels_;
};

// A picture with a row per image and width: the image, its rollout, and the heat of each label with its probability and answer.
// Each heat has a scale of its own, from 0 to its largest value. Outcomes with a problem are left out.
data::Image label_explanation(const std::vector<Outcome>& outcomes);

}  // namespace hv::train
