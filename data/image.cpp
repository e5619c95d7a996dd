#include "data/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "data/files.h"
#include "data/pictures/decoders.h"

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
// Warnings in the code of these libraries are ignored.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace hv::data {
namespace {

// One dimension of a resize: result i is a weighted sum of source[first[i] ...], weights adding up to 1.
struct Taps {
  std::vector<int64_t> first;
  std::vector<std::vector<double>> weights;
};
Taps make_taps(int64_t from, int64_t to) {
  Taps taps;
  const double scale = static_cast<double>(from) / static_cast<double>(to), support = std::max(scale, 1.0);
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    // NOLINTBEGIN(bugprone-incorrect-roundings): the pixel whose centre is the first inside, and the first beyond
    const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t end = std::min(from, static_cast<int64_t>(centre + support + 0.5));
    // NOLINTEND(bugprone-incorrect-roundings)
    std::vector<double> weights;
    double sum = 0;
    for (int64_t j = begin; j < end; ++j) {
      weights.push_back(std::max(0.0, 1.0 - std::abs((static_cast<double>(j) + 0.5 - centre) / support)));
      sum += weights.back();
    }
    for (double& w : weights) w /= sum;
    taps.first.push_back(begin);
    taps.weights.push_back(std::move(weights));
  }
  return taps;
}

// Interleaved rows to planes, turned upright. Orientations 5 to 8 exchange rows and columns; some count from the other end.
Image planes(const Rows& rows) {
  const int o = rows.orientation;
  const bool exchanged = o >= 5, from_below = o == 3 || o == 4 || o == 6 || o == 7, from_right = o == 2 || o == 3 || o >= 7;
  // In the rows: the pixel that comes first, and the steps to the next column and to the next line.
  const int64_t first = (from_below ? (rows.height - 1) * rows.width : 0) + (from_right ? rows.width - 1 : 0);
  int64_t right = from_right ? -1 : 1, down = from_below ? -rows.width : rows.width;
  Image image{rows.height, rows.width, {}, rows.warnings};
  if (exchanged) {
    std::swap(right, down);
    std::swap(image.height, image.width);
  }
  const int64_t plane = image.height * image.width;
  image.chw.resize(static_cast<size_t>(3 * plane));
  uint8_t* out = image.chw.data();
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* in = rows.rgb.get() + 3 * (first + y * down);
    for (int64_t x = 0; x < image.width; ++x, ++out) {
      const uint8_t* pixel = in + 3 * x * right;
      out[0] = pixel[0];
      out[plane] = pixel[1];
      out[2 * plane] = pixel[2];
    }
  }
  return image;
}

Image decode(std::span<const uint8_t> bytes, const std::string& name, int64_t side, Lease& memory) {
  const Decode decoder = decoder_of(bytes);
  if (!decoder) {
    const std::string foreign = foreign_format(bytes);
    HV_CHECK_INPUT(foreign.empty(), name, ": ", foreign, " pictures are not read: convert it to PNG or JPEG");
    fail(Fault::input, name,
         ": neither a PNG nor a JPEG, WebP, GIF or BMP picture (by its first bytes): convert it to one of them");
  }
  HV_CHECK_INPUT(static_cast<int64_t>(bytes.size()) <= kMaxFile, name, ": image file too large: ", bytes.size(),
                 " bytes, at most ", kMaxFile, " are accepted");
  return planes(decoder({bytes, name, side, memory}));
}

Image load(const std::string& path, int64_t side, Lease& memory) {
  Lease file(file_budget());
  file.take(file_bytes(path));
  return decode(read_small(path, kMaxFile), path, side, memory);
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes, const std::string& name) {
  Lease memory(decoder_budget());
  return decode(bytes, name, 0, memory);
}

Image load_image(const std::string& path) {
  Lease memory(decoder_budget());
  return load(path, 0, memory);
}

void with_image(const std::string& path, int64_t side, const std::function<void(const Image&)>& use) {
  Lease memory(decoder_budget());
  use(load(path, side, memory));
}

Image resize_image(const Image& image, int64_t height, int64_t width) {
  HV_CHECK(image.height > 0 && image.width > 0 && height > 0 && width > 0, "resize_image: empty picture: ", image.height, " x ",
           image.width, " to ", height, " x ", width);
  if (height == image.height && width == image.width) return image;
  const Taps columns = make_taps(image.width, width), rows = make_taps(image.height, height);
  // First a weighted sum over source rows, then one over its columns; one line of temporaries is enough.
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(3 * height * width))};
  std::vector<double> line(static_cast<size_t>(image.width));
  uint8_t* result = out.chw.data();
  const auto from = static_cast<size_t>(image.height * image.width), to = static_cast<size_t>(height * width);
  for (int64_t c = 0; c < 3; ++c) {
    if (c > 0 && std::memcmp(image.chw.data() + static_cast<size_t>(c) * from, image.chw.data(), from) == 0) {
      result = std::copy_n(out.chw.data(), to, result);  // a grey picture takes a third of the time
      continue;
    }
    for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
      std::fill(line.begin(), line.end(), 0.0);
      for (size_t j = 0; j < rows.weights[y].size(); ++j) {
        const uint8_t* source = image.chw.data() + (c * image.height + rows.first[y] + static_cast<int64_t>(j)) * image.width;
        for (size_t x = 0; x < line.size(); ++x) line[x] += rows.weights[y][j] * source[x];
      }
      for (size_t x = 0; x < static_cast<size_t>(width); ++x) {
        double sum = 0.5;
        for (size_t j = 0; j < columns.weights[x].size(); ++j)
          sum += columns.weights[x][j] * line[static_cast<size_t>(columns.first[x]) + j];
        *result++ = static_cast<uint8_t>(std::clamp(sum, 0.0, 255.0));
      }
    }
  }
  return out;
}

Image resize_and_crop(const Image& image, int64_t size) {
  const int64_t shorter = std::min(image.height, image.width);
  HV_CHECK(shorter > 0 && size > 0, "resize_and_crop: empty picture");
  // The middle square is cut out first, so that nothing outside it is resized.
  const int64_t top = (image.height - shorter) / 2, left = (image.width - shorter) / 2;
  Image square{shorter, shorter, std::vector<uint8_t>(static_cast<size_t>(3 * shorter * shorter))};
  for (int64_t row = 0; row < 3 * shorter; ++row) {
    const int64_t c = row / shorter, y = row % shorter + top;
    std::memcpy(square.chw.data() + row * shorter, image.chw.data() + (c * image.height + y) * image.width + left,
                static_cast<size_t>(shorter));
  }
  return resize_image(square, size, size);
}

std::vector<uint8_t> encode_png(const Image& image) {
  const auto plane = static_cast<size_t>(image.height * image.width);
  HV_CHECK(plane > 0 && image.chw.size() == 3 * plane, "encode_png: empty picture");
  const uint8_t* red = image.chw.data();
  const bool grey = std::equal(red, red + 2 * plane, red + plane);  // then one channel says all, in half the bytes
  const size_t channels = grey ? 1 : 3;
  std::vector<uint8_t> pixels(channels * plane), png;
  for (size_t i = 0; i < plane; ++i)
    for (size_t c = 0; c < channels; ++c) pixels[channels * i + c] = image.chw[c * plane + i];
  const auto append = [](void* out, void* data, int size) {
    const auto* bytes = static_cast<uint8_t*>(data);
    static_cast<std::vector<uint8_t>*>(out)->insert(static_cast<std::vector<uint8_t>*>(out)->end(), bytes, bytes + size);
  };
  HV_CHECK(stbi_write_png_to_func(append, &png, static_cast<int>(image.width), static_cast<int>(image.height),
                                  static_cast<int>(channels), pixels.data(),
                                  static_cast<int>(channels * static_cast<size_t>(image.width))),
           "encode_png: out of memory");
  return png;
}

void write_png(const std::string& path, const Image& image) { write_file(path, encode_png(image)); }

Image mosaic(const std::vector<Image>& images, int64_t columns) {
  HV_CHECK(!images.empty() && columns > 0, "mosaic: no pictures");
  const int64_t h = images[0].height, w = images[0].width;
  const auto count = static_cast<int64_t>(images.size());
  const int64_t rows = (count + columns - 1) / columns;
  Image out{rows * (h + 1) + 1, columns * (w + 1) + 1, {}};
  out.chw.resize(static_cast<size_t>(3 * out.height * out.width));
  for (int64_t i = 0; i < count; ++i) {
    const Image& image = images[static_cast<size_t>(i)];
    HV_CHECK(image.height == h && image.width == w, "mosaic: pictures differ in size");
    const int64_t top = i / columns * (h + 1) + 1, left = i % columns * (w + 1) + 1;
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 0; y < h; ++y)
        std::memcpy(out.chw.data() + (c * out.height + top + y) * out.width + left, image.chw.data() + (c * h + y) * w,
                    static_cast<size_t>(w));
  }
  return out;
}

}  // namespace hv::data
