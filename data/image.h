// Pictures in and out of files: PNG, JPEG, WebP, BMP and GIF decoded (data/pictures), resizing, PNG writing (stb_image_write,
// named only in data/image.cpp).
//
// Image files are untrusted. Invariants
//   1. Nothing is decoded before the first bytes, the file's size (64 MiB) and the picture's size (8192 per side, 40 million
//      pixels) were checked. A JPEG may be larger, if one half, quarter or eighth of its size is within these limits: it is
//      decoded at that size.
//   2. A bad file is an error (Fault::input) that names the file; memory is returned.
//   3. Checksums of PNG are tested. The same bytes give the same pixels.
//   4. All decoders at work hold at most 1 GiB together: a call waits until others are done (data/pictures/budget.h).
//   5. Pictures are upright: the orientation in their EXIF block is applied.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace hv::data {

struct Image {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> chw;  // planes: red, green, blue
  int64_t warnings = 0;      // how often the decoder passed over something wrong beside the picture's data
};

// "PNG", "JPEG", "WebP", "GIF", "BMP", or "" for anything else, by the first kFormatBytes bytes.
constexpr size_t kFormatBytes = 32;
std::string picture_format(std::span<const uint8_t> first);

Image load_image(const std::string& path);                                    // grey and CMYK become RGB, alpha is dropped
Image decode_image(std::span<const uint8_t> bytes, const std::string& name);  // `name` for errors
// Decodes a picture, hands it to `use` and frees it; the memory of both is within the budget, so `use` must not load another
// picture. `side`: what `use` will resize the shorter side to. A JPEG above the limits may then be decoded at a size near it,
// but not below twice that.
void with_image(const std::string& path, int64_t side, const std::function<void(const Image&)>& use);

// Area average when shrinking, bilinear when growing (a triangle filter as wide as the step, as PIL's BILINEAR).
Image resize_image(const Image& image, int64_t height, int64_t width);
// Resizes the shorter side to `size` (aspect kept), then cuts out the middle size x size square.
Image resize_and_crop(const Image& image, int64_t size);

std::vector<uint8_t> encode_png(const Image& image);
void write_png(const std::string& path, const Image& image);
// Puts pictures of one size into a grid, `columns` per row, with one black pixel between them; for looking at data.
Image mosaic(const std::vector<Image>& images, int64_t columns);

}  // namespace hv::data
