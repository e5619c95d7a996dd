// JPEG through libjpeg-turbo: every sampling and colour space that it knows, large pictures at a reduced size.
//
// What libjpeg calls a warning may be harmless or may mean that it makes up pixels. The latter is an error here: a code that
// does not exist, data that ends early, a restart marker out of place.
// jpeglib.h needs cstdio, jerror.h needs jpeglib.h:
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <array>
#include <vector>

#include "data/pictures/decoders.h"
#include "data/pictures/guard.h"

namespace hv::data {
namespace {

constexpr int kMostScans = 500;  // a small progressive file with very many scans would take minutes

struct Reader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  Guard guard{};
  bool unsupported = false;  // why it was left: the library's limit
  bool past_end = false;     // no end marker
  bool several_scans = false;

  Reader() = default;
  ~Reader() { jpeg_destroy_decompress(&info); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

Reader& reader_of(j_common_ptr info) { return *static_cast<Reader*>(info->client_data); }

bool is_limit(const jpeg_error_mgr& errors) {
  constexpr std::array<int, 8> kLimits = {JERR_BAD_PRECISION,   JERR_SOF_UNSUPPORTED, JERR_FRACT_SAMPLE_NOTIMPL,
                                          JERR_CCIR601_NOTIMPL, JERR_COMPONENT_COUNT, JERR_CONVERSION_NOTIMPL,
                                          JERR_ARITH_NOTIMPL,   JERR_NOT_COMPILED};
  constexpr int kJpegLs = 0xf7;  // the frame marker of JPEG-LS
  return std::find(kLimits.begin(), kLimits.end(), errors.msg_code) != kLimits.end() ||
         (errors.msg_code == JERR_UNKNOWN_MARKER && errors.msg_parm.i[0] == kJpegLs);
}

void refuse(j_common_ptr info) {
  Reader& reader = reader_of(info);
  reader.unsupported = is_limit(reader.errors);
  std::array<char, JMSG_LENGTH_MAX> text{};
  reader.errors.format_message(info, text.data());
  leave(reader.guard, text.data());
}

void note(j_common_ptr info, int level) {
  if (level >= 0) return;  // tracing
  Reader& reader = reader_of(info);
  switch (reader.errors.msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      refuse(info);
      break;
    case JWRN_JPEG_EOF:  // repeated for every read past the end
      if (reader.past_end) return;
      reader.past_end = true;
      break;
    default:
      break;
  }
  ++reader.errors.num_warnings;
}

void limit_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans)
    leave(reader_of(info).guard, "more than 500 scans");
}

void start(Reader& reader, std::span<const uint8_t> bytes) {
  jpeg_decompress_struct& info = reader.info;
  info.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = refuse;
  reader.errors.emit_message = note;
  info.client_data = &reader;
  jpeg_create_decompress(&info);
  reader.progress.progress_monitor = limit_scans;
  info.progress = &reader.progress;
  info.mem->max_memory_to_use = kMaxDecoder;
  jpeg_mem_src(&info, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);  // EXIF
  jpeg_read_header(&info, TRUE);
  reader.several_scans = jpeg_has_multiple_scans(&info);
  info.dct_method = JDCT_ISLOW;
  const bool four = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = four ? JCS_CMYK : JCS_RGB;
}

// 1, 2, 4 or 8: the least by which a large picture must shrink to be accepted; more, if twice the wanted side is left.
int reduction(int64_t width, int64_t height, int64_t side) {
  int by = 1;
  while (by < 8 && !acceptable_size((width + by - 1) / by, (height + by - 1) / by)) by *= 2;
  while (by > 1 && by < 8 && side > 0 && std::min(width, height) / (2 * by) >= 2 * side) by *= 2;
  return by;
}

// A file of several scans is kept whole as coefficients before the first pixel is made.
int64_t coefficient_bytes(const Reader& reader) {
  if (!reader.several_scans) return 0;
  int64_t bytes = 0;
  for (int c = 0; c < reader.info.num_components; ++c) {
    const jpeg_component_info& part = reader.info.comp_info[c];
    bytes += int64_t{part.width_in_blocks} * part.height_in_blocks * DCTSIZE2 * static_cast<int64_t>(sizeof(JCOEF));
  }
  return bytes;
}

// Without an end marker, were scans lost? If one scan holds all, the decoder would have run out of data. A progressive file
// says how many bits of each coefficient are missing. Other files do not tell.
bool all_scans_came(const Reader& reader) {
  const jpeg_decompress_struct& info = reader.info;
  if (!reader.past_end || (!reader.several_scans && !info.arith_code)) return true;
  if (!info.progressive_mode || info.arith_code) return false;
  for (int c = 0; c < info.num_components; ++c)
    for (int k = 0; k < DCTSIZE2; ++k)
      if (info.coef_bits[c][k] != 0) return false;
  return true;
}

void read_exif(const Reader& reader, Rows& rows) {
  for (jpeg_saved_marker_ptr marker = reader.info.marker_list; marker; marker = marker->next) {
    const std::span<const uint8_t> block{marker->data, marker->data_length};
    if (block.size() >= 4 && std::equal(block.begin(), block.begin() + 4, "Exif")) return read_exif(block, rows);
  }
}

// Adobe's programs store 255 - ink, and so does everyone who copies them. Rounded as Pillow does.
void rgb_from_cmyk(const uint8_t* in, uint8_t* out, size_t width) {
  for (size_t x = 0; x < width; ++x, in += 4)
    for (size_t c = 0; c < 3; ++c) {
      const int product = (255 - in[c]) * in[3] + 128;
      *out++ = static_cast<uint8_t>(in[3] - ((product + (product >> 8)) >> 8));
    }
}

void read_rows(Reader& reader, uint8_t* rgb, uint8_t* four) {
  jpeg_decompress_struct& info = reader.info;
  const bool cmyk = info.out_color_space == JCS_CMYK;
  const size_t width = info.output_width;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    uint8_t* const out = rgb + 3 * width * info.output_scanline;
    uint8_t* row = cmyk ? four : out;
    jpeg_read_scanlines(&info, &row, 1);
    if (cmyk) rgb_from_cmyk(four, out, width);
  }
}

}  // namespace

Rows decode_jpeg(const Encoded& file) {
  Reader reader;
  const auto run = [&](const auto& step) {
    const bool good = guarded(reader.guard, step);
    check_support(good || !reader.unsupported, file, reader.guard.text);
    check_damage(good, file, reader.guard.text);
  };
  run([&] { start(reader, file.bytes); });
  jpeg_decompress_struct& info = reader.info;
  const int64_t width = info.image_width, height = info.image_height;
  info.scale_num = 1;
  info.scale_denom = static_cast<unsigned>(reduction(width, height, file.side));
  run([&] { jpeg_calc_output_dimensions(&info); });
  HV_CHECK_INPUT(acceptable_size(info.output_width, info.output_height), file.name, ": picture too large: ", width, " x ",
                 height, ", an eighth of it may have at most ", kMaxSide, " a side and ", kMaxPixels, " pixels: shrink it");
  const int64_t coefficients = coefficient_bytes(reader);
  HV_CHECK_INPUT(coefficients + int64_t{6} * info.output_width * info.output_height <= kMaxDecoder, file.name,
                 ": picture too large: a progressive JPEG of ", width, " x ", height, " needs more than ", kMaxDecoder >> 20,
                 " MiB: save it as a baseline JPEG, or shrink it");
  Rows rows = make_rows(file, info.output_width, info.output_height, coefficients);
  read_exif(reader, rows);
  std::vector<uint8_t> four(info.out_color_space == JCS_CMYK ? size_t{4} * info.output_width : 0);
  run([&] { read_rows(reader, rows.rgb.get(), four.data()); });
  check_damage(all_scans_came(reader), file, "it ends before its last scan");
  // All pixels are here; what is wrong between them and the end marker is a warning.
  const bool ended = guarded(reader.guard, [&] { jpeg_finish_decompress(&info); });
  rows.warnings += reader.errors.num_warnings + (ended ? 0 : 1);
  return rows;
}

}  // namespace hv::data
