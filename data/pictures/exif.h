// Which way is up: the orientation in a picture's EXIF block. Phones store pixels as the sensor lay, and say here how to turn
// them. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <span>

namespace hv::data {

// 1 to 8 (EXIF 2.3, tag 0x0112); 1, upright, if the block does not say; 0 if the block cannot be read.
int exif_orientation(std::span<const uint8_t> block);

}  // namespace hv::data
