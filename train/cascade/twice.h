// What looking twice would bring, computed from the predictions that every stage made for every image: nothing runs. So the
// measure is the confidence, which predictions.csv holds; the entropy needs all logits.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/draw/plot.h"

namespace hv::train {

struct StagePredictions {
  models::Subnet subnet;
  double macs = 0;                            // of an image
  std::vector<double> predicted, confidence;  // by image
};

class Twice {
 public:
  // All stages of a model that continues (models/elastic.h), else any subnetworks. `labels`: by image.
  Twice(std::vector<StagePredictions> stages, std::vector<double> labels, bool continues);

  struct Point {                                        // of a curve: everything at one threshold
    double threshold = 0, accuracy = 0, mean_macs = 0;  // accuracy in per cent
    std::vector<double> stopped;                        // by stage of the curve: share of the images
  };
  struct Curve {
    std::vector<size_t> stages;  // which of the stages, narrowest first
    std::vector<Point> points;   // by rising threshold: from "the first stage always" to "never"
    // Mean over the MACs between the narrowest and the widest subnetwork alone: the best accuracy up to such a cost.
    double area = 0;
  };
  // The curve of all stages; or that of narrowest and widest, then that of the pair with the largest area, if it is another.
  const std::vector<Curve>& curves() const { return curves_; }
  std::string name(const Curve& curve) const;  // "2 then 6"
  size_t stages() const { return stages_.size(); }
  const models::Subnet& first() const { return stages_.front().subnet; }

  Chart chart() const;  // accuracy against mean MACs, beside each stage alone
  std::vector<std::vector<std::string>> shares(const Curve& curve) const;  // a table: a row per point, some of them
  // Per class at the median of the first stage's confidences: how often it is looked at again, and what that changes. The
  // classes with most second looks first, at most `most` of them.
  std::vector<std::vector<std::string>> classes(const Curve& curve, const std::vector<std::string>& names, size_t most) const;
  std::vector<size_t> surest(size_t count,
                             bool least) const;  // images by the first stage's confidence; right ones only, if surest

 private:
  Curve curve(std::vector<size_t> stages) const;
  bool right(size_t stage, size_t image) const { return stages_[stage].predicted[image] == labels_[image]; }
  double alone(size_t stage) const;  // accuracy in per cent
  size_t stop(const Curve& curve, size_t image, double threshold) const;
  std::vector<StagePredictions> stages_;
  std::vector<double> labels_;
  bool continues_;
  std::vector<Curve> curves_;
};

}  // namespace hv::train
