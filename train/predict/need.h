// What a pass needs, compared with the memory budget (train/io/memory.h) before anything runs. A small file may describe a
// model whose smallest pass takes more memory than there is, or hours.
//
// Invariants
//   1. What is needed is an upper bound from the configuration alone (models::Need), at the widest subnetwork asked for.
//   2. Predictions and evaluations by the user are made in smaller batches if need be: only a single image that does not fit is
//      refused. A training is refused instead, because other batches would change its results.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "models/kinds.h"
#include "train/options.h"

namespace hv::train {

enum class Pass { forward, rollout, relevance };  // rollout: both; relevance: all three (models/relevance.h)

// How many images, at most `most`, fit into one pass, beside `kept` bytes that are held meanwhile. If not even one does, or a
// pass takes absurdly long, that is an error (Fault::input) that begins with `where` and says what to do.
int64_t fitting_batch(const std::string& where, const models::Config& model, const std::vector<models::Subnet>& subnets,
                      int64_t most, Pass pass = Pass::forward, double kept = 0);
// The time of one image's pass at all of these, in multiply-adds of a large matrix product.
double work_of(const models::Config& model, const std::vector<models::Subnet>& subnets, Pass pass = Pass::forward);

// A step of a training and its evaluations, with weights, gradients, moments and average. Too much is an error (Fault::usage)
// that names the options to lower.
void check_training_fits(const models::Config& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options,
                         int64_t test_images);

}  // namespace hv::train
