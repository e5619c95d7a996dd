// PNG and JPEG, through decoding and resizing as predict and image folders do it. (stb_image copies nothing from a null pointer
// at an empty PNG chunk: harmless, so that one check of UBSan is off in the build.)
#include <algorithm>

#include "data/image.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hv::fuzz::may_refuse([&] {
    const hv::data::Image image = hv::data::decode_image({data, size}, "fuzz");
    if (image.chw.size() != static_cast<size_t>(3 * image.height * image.width)) std::abort();
    if (image.height * image.width < 1 << 16) hv::data::resize_and_crop(image, 8);
  });
  return 0;
}
