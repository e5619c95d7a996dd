// Pictures in and out of files: PNG decoding and writing (stb_image, named only in data/image.cpp), JPEG decoding
// (data/jpeg.h), resizing.
//
// Image files are untrusted. Invariants
//   1. Nothing is decoded before the first bytes, the file's size (64 MiB) and the picture's size (8192 per side, 40 million
//      pixels) were checked; the PNG decoder itself may hold at most 512 MiB.
//   2. A bad file is an error (Fault::input) that names the file; memory is returned.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hv::data {

struct Image {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> chw;  // planes: red, green, blue
};

// "png", "jpeg", "webp", "bmp" or "gif", by the first (12 or more) bytes of a file; "" if it is none of them.
std::string picture_format(std::span<const uint8_t> first_bytes);

Image load_image(const std::string& path);                                    // grey and alpha become RGB
Image decode_image(std::span<const uint8_t> bytes, const std::string& name);  // `name` for errors

// Area average when shrinking, bilinear when growing (a triangle filter as wide as the step, as PIL's BILINEAR).
Image resize_image(const Image& image, int64_t height, int64_t width);
// Resizes the shorter side to `size` (aspect kept), then cuts out the middle size x size square.
Image resize_and_crop(const Image& image, int64_t size);

void check_picture_size(int64_t width, int64_t height, const std::string& name);
Image planes_from_rgb(std::span<const uint8_t> rgb, int64_t height, int64_t width);  // interleaved to planes

std::vector<uint8_t> encode_png(const Image& image);
void write_png(const std::string& path, const Image& image);
// Puts pictures of one size into a grid, `columns` per row, with one black pixel between them; for looking at data.
Image mosaic(const std::vector<Image>& images, int64_t columns);

}  // namespace hv::data
