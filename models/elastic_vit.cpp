#include "models/elastic_vit.h"

namespace hv::models {

std::vector<Cost> elastic_costs(const VitConfig& c, const std::vector<Subnet>& widths, const std::vector<VitShape>& shapes,
                                const Bands& bands) {
  const TokenAxes axes = c.token_axes();
  std::vector<Cost> all;
  for (const Subnet& subnet : axes.with_views(widths)) {
    VitShape shape = shapes.at(static_cast<size_t>(axes.width(subnet.id)));
    shape.view = axes.view(subnet.id);
    all.push_back(vit_cost(subnet, c, shape));
  }
  bands.describe(all, c.classes, shapes.back().outputs);
  Positions(c, shapes.back().first_tokens).describe(all);
  return all;
}

PlainVit elastic_plain(const VitConfig& c, VitShape shape, const Bands& bands, int64_t width, const View& view) {
  shape.view = view;
  PlainVit vit = plain_of(c, shape);
  bands.describe(vit, width);
  Positions(c, shape.first_tokens).describe(vit, width);
  return vit;
}

int64_t elastic_params(const VitConfig& c, const VitShape& full, const Bands& bands) {
  return vit_params(c, full) + bands.params_beyond_widest(c.classes, full.outputs) +
         Positions(c, full.first_tokens).params_beyond_largest(full.width);
}

}  // namespace hv::models
