// Pictures that explain: heat laid over an image, and pictures side by side with captions.
//
// Colours: a helix in the OKLab colour space, from dark blue through red to light yellow. Lightness and hue rise evenly at
// constant chroma, so equal steps of heat look equally large; lightness alone gives the order, so no colour vision is needed to
// read it.
//
// Invariants
//   1. Of two places of one grey, the hotter one is lighter in the overlay.
//   2. Text is ASCII of one size (stb_easy_font; only explain.cpp names it); any other character is drawn as '?'.
// Thread rule: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/image.h"

namespace hv::train {

struct Heat {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;  // row-major
};
Heat heat_of(const Tensor& rollout, int64_t image);  // image `image` of [B, rows, columns]

std::array<uint8_t, 3> heat_colour(double share);  // red, green, blue; 0: cold, 1: hot; beyond: as the nearest end

// The image in grey under the colours of the heat, interpolated linearly between the middles of its cells. `low` is drawn as
// cold and `high` as hot; where both are the same, everything is cold. To compare pictures, give them the same two.
data::Image overlay(const data::Image& image, const Heat& heat, double low, double high);
data::Image overlay(const data::Image& image, const Heat& heat);  // from its lowest to its highest value

// A small picture times the least whole number that makes its shorter side at least `side`: pixels stay sharp squares.
data::Image enlarge(const data::Image& image, int64_t side);

struct Captioned {
  data::Image image;
  std::string caption;  // lines below the picture; what is too long ends in ".."
};
// A table of pictures on white; all cells have the size of the largest. Short rows are filled with white.
data::Image panel(const std::vector<std::vector<Captioned>>& rows, int64_t gap = 8);
// The colours from cold to hot with a word at each end, to stack below a panel.
data::Image colour_key(int64_t width, const std::string& cold, const std::string& hot);
data::Image stack(const data::Image& above, const data::Image& below);  // of one width

}  // namespace hv::train
