// The section of the page about accuracy against cost.
// Thread rule: one thread.
#pragma once

#include "data/dataset.h"
#include "train/report/charts.h"
#include "train/structure/section.h"

namespace hv::train {

// `test`: the test images of the first run, null without them: then `no_images` says why.
void add_accuracy(Page& page, const Figure& figure, const Runs& runs, const data::Dataset* test, const std::string& no_images);

}  // namespace hv::train
