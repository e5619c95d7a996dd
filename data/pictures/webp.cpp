// WebP through libwebp: still pictures, and the first picture of an animation.
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "data/pictures/decoders.h"

namespace hv::data {
namespace {

// The most that libwebp allocates for one file: two canvases and a decoder of four bytes per pixel, and where pixels or alpha
// are lossless, Huffman tables: a group of them for each 4 x 4 pixels or fewer, up to 65,536, of up to 21 KiB; a group takes 20
// bits of the file at least, and then 5.7 KiB. (A file of 295 KB that takes 379 MB is easily made.)
int64_t decoder_bytes(std::span<const uint8_t> bytes, int64_t pixels) {
  const auto has = [&](std::string_view chunk) {
    return std::search(bytes.begin(), bytes.end(), chunk.begin(), chunk.end()) != bytes.end();
  };
  int64_t tables = 0;
  if (has("VP8L") || has("ALPH"))
    tables = std::min(std::min<int64_t>(pixels / 16 + 1, 65536) * 21 * 1024, static_cast<int64_t>(bytes.size()) * 2560);
  return 16 * pixels + tables;
}

}  // namespace

Rows decode_webp(const Encoded& file) {
  constexpr const char* kBroken = "a WebP file that is cut short or wrong";
  int width = 0, height = 0;
  check_damage(WebPGetInfo(file.bytes.data(), file.bytes.size(), &width, &height) != 0, file, kBroken);
  Rows rows = make_rows(file, width, height, decoder_bytes(file.bytes, int64_t{width} * height));
  WebPAnimDecoderOptions options;
  HV_CHECK(WebPAnimDecoderOptionsInit(&options), "webp: another version of the library");
  options.color_mode = MODE_RGBA;
  const WebPData data{file.bytes.data(), file.bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(WebPAnimDecoderNew(&data, &options),
                                                                             WebPAnimDecoderDelete);
  WebPAnimInfo info{};
  uint8_t* canvas = nullptr;
  int time = 0;
  check_damage(decoder && WebPAnimDecoderGetInfo(decoder.get(), &info) && info.canvas_width == static_cast<uint32_t>(width) &&
                   info.canvas_height == static_cast<uint32_t>(height) && WebPAnimDecoderGetNext(decoder.get(), &canvas, &time),
               file, kBroken);
  for (size_t i = 0, count = size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(height); i < count; ++i)
    rows.rgb[i] = canvas[i / 3 * 4 + i % 3];
  WebPChunkIterator chunk{};
  if (WebPDemuxGetChunk(WebPAnimDecoderGetDemuxer(decoder.get()), "EXIF", 1, &chunk))
    read_exif({chunk.chunk.bytes, chunk.chunk.size}, rows);
  WebPDemuxReleaseChunkIterator(&chunk);
  return rows;
}

}  // namespace hv::data
