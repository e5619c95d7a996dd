// The section of a report about the sizes of a model's blocks, or about a search for them.
// Thread rule: one thread.
#pragma once

#include <functional>
#include <string>

#include "train/draw/html.h"
#include "train/runs/run_data.h"

namespace hv::train {

// Adds a drawing to the page, and writes it to a file of that name.
using Figure = std::function<void(const std::string& name, const std::string& drawing, const std::string& caption)>;

// Nothing of a model whose blocks are alike.
void add_structure(Page& page, const RunData& run, const Figure& figure);

}  // namespace hv::train
