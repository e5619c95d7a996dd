#include "data/pictures/exif.h"

#include <algorithm>
#include <string_view>

#include "data/pictures/decoders.h"

namespace hv::data {

int exif_orientation(std::span<const uint8_t> block) {
  constexpr std::string_view kHead("Exif\0\0", 6);  // in JPEG, and in some WebP files
  if (block.size() >= 6 && std::equal(kHead.begin(), kHead.end(), block.begin())) block = block.subspan(6);
  if (block.size() < 8 || block[0] != block[1] || (block[0] != 'I' && block[0] != 'M')) return 0;
  const bool little = block[0] == 'I';
  const auto number = [&](size_t at, size_t bytes) {
    size_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | block[at + (little ? bytes - 1 - i : i)];
    return value;
  };
  if (number(2, 2) != 42) return 0;
  const size_t directory = number(4, 4);
  if (directory > block.size() - 2) return 0;
  const size_t entries = number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;  // tag, type, count, value
    if (entry + 12 > block.size()) return 0;
    if (number(entry, 2) != 0x0112) continue;
    const size_t type = number(entry + 2, 2);
    const size_t value = type == 3 ? number(entry + 8, 2) : type == 4 ? number(entry + 8, 4) : 0;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;  // programs write 0 for "unknown"
  }
  return 1;
}

void read_exif(std::span<const uint8_t> block, Rows& rows) {
  const int orientation = exif_orientation(block);
  if (orientation == 0) ++rows.warnings;
  rows.orientation = std::max(orientation, 1);
}

}  // namespace hv::data
