// Single images of a run. Its model and its data are opened again.
//
// Invariant: the data are those of the run; data with another checksum are an error (Fault::input).
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/open.h"
#include "train/draw/html.h"
#include "train/predict/need.h"
#include "train/runs/run_data.h"
#include "train/state/load.h"

namespace hv::train {

class RunImages {
 public:
  // A missing checkpoint or data set is an error (Fault::input). So is, in the functions below, a pass that exceeds the memory
  // or takes hours.
  explicit RunImages(const RunData& run);

  // Whether each image has one label. If not, there are no predictions by class.
  bool one_label() const { return test_->scorer() == "classes"; }
  // The table of predictions.csv for `limit` test images (data/sample.h). It also sets the speed of each width, by label.
  Table predict(int64_t limit, std::map<std::string, double>& images_per_second);
  bool first_images(const Table& predictions) const;  // whether its rows are the first test images, without a gap
  bool continues() const { return loaded_.model->continues(); }
  // The images of these rows, with what this subnetwork takes them for.
  std::vector<Tile> show(const Table& predictions, const std::vector<size_t>& rows, const models::Subnet& subnet) const;
  std::vector<Tile> worst(const Table& predictions, size_t count) const;  // those with the largest loss at the widest width
  std::vector<Tile> augmented(size_t count) const;                        // the first training images of the run, augmented

  // Chooses test images to show: half of them are right at every width, the others at the widest but not at the narrowest.
  // Images of different classes are preferred, and if there are too few such images, others fill the list.
  std::vector<int64_t> choose(const Table& predictions, size_t count) const;
  struct Look {
    std::string heading;
    std::vector<Tile> tiles;  // the image, then the attention of every width over it, or of a few if there are several axes
  };
  // The attention for one test image. `tiles` is empty if the model has no attention. A wrong index is an error (Fault::usage).
  Look look(int64_t index);
  // The test image, then one picture for each time that this subnetwork drops patches, in which those dropped so far are dark.
  std::vector<Tile> survivors(int64_t index, const models::Subnet& subnet);
  int64_t test_images() const { return test_->size(); }
  const data::Dataset& test() const { return *test_; }
  data::DatasetPtr validation() const;  // null if the data have none
  Loaded& loaded() { return loaded_; }

 private:
  data::Image test_image(int64_t i) const;
  Tensor input_of(const data::Image& image) const;
  void check_index(int64_t index) const;
  const std::string& class_name(double k) const;
  int64_t fitting(int64_t images, Pass pass) const;  // see train/predict/need.h
  std::string labels_of(int64_t image) const;        // "cat", or "cat, dog" if the image has several labels

  const RunData& run_;
  Loaded loaded_;
  data::Source source_;
  std::vector<models::Subnet> widths_;
  data::DatasetPtr train_, test_;
};

// Of the widest subnetworks that drop patches, those that drop the largest share: the one that begins with most patches, and
// the one that begins with fewest. Empty if none drops any.
std::vector<models::Subnet> strongest_pruning(const RunData& run);

}  // namespace hv::train
