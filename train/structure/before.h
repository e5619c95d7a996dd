// What a model was before this training: the checkpoint of --init, if it holds the same model, measured as a run of its own. So
// charts show a cut model as it was cut and as it was retrained. Its speed is the run's, because the model is the same.
// Thread rule: one thread.
#pragma once

#include <optional>
#include <string>

#include "data/dataset.h"
#include "train/runs/run_data.h"

namespace hv::train {

struct Before {
  std::optional<RunData> run;  // its summary has one row, of this evaluation
  int64_t images = 0;          // that it was measured on
  std::string missing;         // why there is none
};
// Only of a run whose blocks have sizes of their own; of any other, and of one without --init, all is empty. The images are
// those of the run's last evaluation, or as many of them as take half a minute. What the run names is not trusted: whatever is
// wrong with it is `missing`. `test`: the run's test images, null without them: then `no_images` says why.
Before before_training(const RunData& run, const data::Dataset* test, const std::string& no_images);

}  // namespace hv::train
