// JPEG decoding through libjpeg-turbo (named only in data/jpeg.cpp), for data/image.cpp.
//
// stb_image reads JPEG too, but version 2.27, which Debian 12 has, trusts Huffman tables from the file: fuzzing it
// (tests/fuzz/) found reads and writes out of bounds within seconds. The same fuzzing found nothing in its PNG reader, so that
// one is used.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/image.h"

namespace hv::data {

Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name);  // checks the picture's size before decoding

}  // namespace hv::data
