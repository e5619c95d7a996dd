// Pictures that explain a decision: heat drawn over an image, and pictures side by side with captions. Heat is one number per
// patch of the image, such as its attention rollout.
//
// The colours form a helix in the OKLab colour space (Ottosson 2020), from dark blue through red to light yellow. Lightness and
// hue rise evenly at constant chroma, so equal steps of heat look equally large. Lightness alone shows the order, so readers
// without colour vision can read it.
//
// Invariants
//   1. If two places have the same grey, the hotter one is lighter in the overlay.
//   2. Text is ASCII in one size, drawn with stb_easy_font, which only explain.cpp uses. Any other character is drawn as '?'.
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
Heat heat_of(const Tensor& rollout, int64_t image);  // the heat of image `image` of a batch [B, rows, columns]

std::array<uint8_t, 3> heat_colour(double share);  // red, green, blue; 0 is cold, 1 is hot; other values are clamped

// Draws the image in grey and over it the colours of the heat, interpolated linearly between the centres of the cells. `low` is
// drawn as cold and `high` as hot; if both are equal, everything is cold. Pictures can be compared if they are drawn with the
// same `low` and `high`.
data::Image overlay(const data::Image& image, const Heat& heat, double low, double high);
data::Image overlay(const data::Image& image, const Heat& heat);  // `low` and `high` are the extreme values of the heat

// The image with the cells of 0 darkened.
data::Image darkened(const data::Image& image, const Heat& kept);

// Enlarges a small picture by the smallest whole factor that makes its shorter side at least `side` pixels. Each pixel becomes
// a square of one colour. A picture that is large enough is returned as it is.
data::Image enlarge(const data::Image& image, int64_t side);

struct Captioned {
  data::Image image;
  std::string caption;  // lines below the picture; a line that is too long is cut and ends in ".."
};
// A table of pictures on white, with `gap` pixels between them. All cells have the size of the largest picture; short rows are
// filled with white.
data::Image panel(const std::vector<std::vector<Captioned>>& rows, int64_t gap = 8);
// The colours from cold to hot with a word at each end, `width` pixels wide, for the lower edge of a panel.
data::Image colour_key(int64_t width, const std::string& cold, const std::string& hot);
data::Image stack(const data::Image& above, const data::Image& below);  // one above the other; both have the same width

}  // namespace hv::train
