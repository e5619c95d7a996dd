// A model looks at pictures: class probabilities of image files at several widths, and what in them the decision drew on.
//
// Invariants
//   1. A file that cannot be read is an outcome with a problem; the others of its batch are not touched by it.
//   2. A picture of another size is resized: its shorter side to the model's, then the middle square. What explains it is drawn
//      on that square of the original, so a large photograph stays sharp.
// Thread rule: one thread at a time; decodes on all cores.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/elastic.h"
#include "train/predict/explain.h"
#include "train/predict/image_paths.h"
#include "train/state/checkpoint.h"

namespace hv::train {

struct Prediction {
  std::string image;
  int64_t heads = 0;
  std::vector<std::pair<std::string, double>> classes;  // name, probability; most probable first
};
struct Outcome {
  std::string image, problem;           // problem empty: the picture was read
  std::vector<Prediction> predictions;  // one a width
  data::Image shown;                    // only where an explanation was asked for, as is `heat`
  std::vector<Heat> heat;               // one a width
};

class Predictor {
 public:
  // `explain` with a model that has no attention is an error (Fault::usage).
  Predictor(models::ElasticModel& model, const Header& header, std::vector<models::Subnet> widths, int64_t topk, bool explain);
  const std::vector<models::Subnet>& widths() const { return widths_; }
  std::vector<Outcome> look(std::span<const ImagePath> images);  // one batch: it is in memory at once

 private:
  Tensor read(std::span<const ImagePath> images, std::vector<Outcome>& outcomes) const;
  std::vector<std::pair<std::string, double>> most_probable(const double* probability) const;
  models::ElasticModel& model_;
  const Header& header_;
  std::vector<models::Subnet> widths_;
  int64_t topk_;
  bool explain_;
};

// A row an image: the picture, then the heat of every width with its most probable class. One scale of colours a row, so that
// widths can be compared. Outcomes with a problem are left out.
data::Image explanation(const std::vector<Outcome>& outcomes, const std::vector<models::Subnet>& widths);

}  // namespace hv::train
