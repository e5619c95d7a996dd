// Single images of a run: its model and its data, opened again.
//
// Invariant: the images are those the run had, by checksum; others are refused (Fault::input).
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
#include "train/report/run_data.h"
#include "train/state/load.h"

namespace hv::train {

class RunImages {
 public:
  explicit RunImages(const RunData& run);  // a missing checkpoint or data set: an error (Fault::input)

  // What predictions.csv would hold of the first `limit` test images; also fills in the speed of each width.
  Table predict(int64_t limit, std::map<int64_t, double>& images_per_second);
  std::vector<Tile> worst(const Table& predictions, size_t count) const;  // those with the largest loss at the widest width
  std::vector<Tile> augmented(size_t count) const;  // the first training images of the run, as it saw them

  // Images worth a look: half that every width gets right, half that the widest alone does; of different classes where there
  // are any.
  std::vector<int64_t> choose(const Table& predictions, size_t count) const;
  struct Look {
    std::string heading;
    std::vector<Tile> tiles;  // the image, then what every width looks at
  };
  Look look(int64_t index);  // no tiles: a model that cannot tell

 private:
  data::Image test_image(int64_t i) const;
  const std::string& class_name(double k) const;

  const RunData& run_;
  Loaded loaded_;
  data::DatasetPtr train_, test_;
};

}  // namespace hv::train
