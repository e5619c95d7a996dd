// Predicts the classes of image files at several widths, and finds the parts of each picture that a decision is based on.
//
// Invariants
//   1. A file that cannot be read is an outcome with a problem; the other files of its batch are not affected.
//   2. A picture of another size is resized so that its shorter side has the model's size, and then cut to the square in its
//      centre. The explanation is drawn on this square of the original picture, so a large photograph stays sharp.
// Thread rule: one thread at a time; pictures are decoded on all cores.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/elastic.h"
#include "train/explain/explain.h"
#include "train/predict/image_paths.h"
#include "train/state/checkpoint.h"

namespace hv::train {

// Where the probability of a label becomes a "yes", if labels do not exclude each other: per subnetwork one per label, NaN
// where there is none. Empty if there are none at all.
using Thresholds = std::vector<std::vector<double>>;
inline constexpr double kPlainThreshold = 0.5;  // of a label that has none

struct Prediction {
  std::string image;
  models::Subnet subnet;
  std::vector<std::pair<std::string, double>> classes;  // name, probability; most probable first
  double sureness = 0;                                  // of a cascade's answer: its measure (train/cascade/measure.h)
  std::vector<double> thresholds = {};                  // of classes[i]; empty if classes exclude each other
  bool yes(size_t i) const { return classes.at(i).second >= thresholds.at(i); }
};
struct LabelHeat {  // what speaks for one label
  Heat heat;
  std::string caption;  // its name, probability and answer
};
struct Outcome {
  std::string image, problem;                       // path; `problem` is empty if the picture was read
  std::vector<Prediction> predictions;              // one per width
  data::Image shown;                                // the picture as an explanation shows it; empty if none was asked for
  std::vector<Heat> heat;                           // one per width; empty if no explanation was asked for
  std::vector<std::vector<LabelHeat>> labels = {};  // a row per width; empty if none was asked for (label_heat.h)
};

class Predictor {
 public:
  // Each prediction lists the `topk` most probable classes. `explain` needs a model with attention, else Fault::usage.
  // `thresholds`: of each width, for labels that do not exclude each other; kPlainThreshold where there is none.
  Predictor(models::ElasticModel& model, const Header& header, std::vector<models::Subnet> widths, int64_t topk, bool explain,
            Thresholds thresholds = {});
  const std::vector<models::Subnet>& widths() const { return widths_; }
  // Reads all images into memory and runs them as one batch. Probabilities that are not finite are an error (Fault::input).
  std::vector<Outcome> look(std::span<const ImagePath> images) const;
  // The two halves of look(). Reads images: those that can be read, normalised, in order [B, 3, side, side]; the others get
  // their problem. Then predicts those without one. And what these logits of one image say.
  Tensor read(std::span<const ImagePath> images, std::vector<Outcome>& outcomes) const;
  void answer(const Tensor& input, std::vector<Outcome>& outcomes) const;
  Prediction predict(const std::string& image, const models::Subnet& width, const Real* logits) const;

 private:
  std::vector<size_t> most_probable(const std::vector<double>& probability) const;
  double threshold(const models::Subnet& width, size_t label) const;
  models::ElasticModel& model_;
  const Header& header_;
  std::vector<models::Subnet> widths_;
  int64_t topk_;
  bool explain_;
  Thresholds thresholds_;
};

// A picture with one row per image: the image, then its heat and its most probable class at every width. All pictures of a row
// have the same scale of colours, so that the widths can be compared. Outcomes with a problem are left out.
data::Image explanation(const std::vector<Outcome>& outcomes, const std::vector<models::Subnet>& widths);
// Bytes of that picture and of what it is made from; `side` is the model's image size.
double explanation_bytes(size_t images, size_t widths, int64_t side);

}  // namespace hv::train
