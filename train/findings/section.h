// The section of a report about findings.
// Thread rule: one thread.
#pragma once

#include "train/draw/html.h"
#include "train/findings/judged.h"
#include "train/runs/run_data.h"

namespace hv::train {

// Whether a run is about findings: by its test images, or without them (null) by its scores.
bool about_findings(const RunData& run, const data::Dataset* test);

void begin_findings(Page& page);  // the heading, and what everybody must read
// `loaded`: the run's model. A pass that is too large is an error (Fault::input).
void add_findings(Page& page, const RunData& run, Loaded& loaded, const data::Dataset& test, const data::Dataset* validation,
                  const Figure& figure, const Tiles& tiles);

}  // namespace hv::train
