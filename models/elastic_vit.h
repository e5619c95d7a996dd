// What models of several widths and views (models/token_axes.h) compute alike for their row of models/kinds.h.
// Thread rule: pure functions.
#pragma once

#include <functional>
#include <vector>

#include "models/classifiers.h"
#include "models/positions.h"
#include "models/vit.h"

namespace hv::models {

// The costs of all subnetworks. `widths` are subnetworks of one view each, narrowest first; `shapes` are these widths alone.
std::vector<Cost> elastic_costs(const VitConfig& config, const std::vector<Subnet>& widths, const std::vector<VitShape>& shapes,
                                const Bands& bands);
// For Kind::plain: the part of this width and view (plain_vit); a width of 0 is the whole nested model. `shape` is its shape.
PlainVit elastic_plain(const VitConfig& config, VitShape shape, const Bands& bands, int64_t width, const View& view);
// Of the whole model: as the shape of its full width, and the classifiers and positions that this one does not use.
int64_t elastic_params(const VitConfig& config, const VitShape& full, const Bands& bands);

}  // namespace hv::models
