// Pictures of every format, through decoding and resizing as predict and image folders do it. The same bytes must give the same
// pixels twice, the second time over memory with other contents.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "data/image.h"
#include "tests/fuzz/memory_file.h"

namespace {

hv::data::Image decode(const uint8_t* data, size_t size, int fill) {
  for (const size_t bytes : {size_t{64}, size_t{1024}, size_t{16384}, size_t{65536}}) {
    void* const block = std::malloc(bytes);
    std::memset(block, fill, bytes);
    std::free(block);
  }
  return hv::data::decode_image({data, size}, "fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hv::fuzz::may_refuse([&] {
    const hv::data::Image image = decode(data, size, 0x5a);
    if (hv::data::picture_format({data, size}).empty()) std::abort();
    if (image.chw.size() != static_cast<size_t>(3 * image.height * image.width)) std::abort();
    if (image.height * image.width >= 1 << 16) return;
    const hv::data::Image again = decode(data, size, 0xa5);
    if (again.chw != image.chw || again.warnings != image.warnings || again.height != image.height) std::abort();
    hv::data::resize_and_crop(image, 8);
  });
  return 0;
}
