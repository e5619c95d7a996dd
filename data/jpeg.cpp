#include "data/jpeg.h"

#include <turbojpeg.h>

#include <memory>
#include <type_traits>

#include "core/check.h"

namespace hv::data {

Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name) {
  const std::unique_ptr<std::remove_pointer_t<tjhandle>, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  HV_CHECK(decoder, "jpeg: the decoder does not start");
  const auto size = static_cast<unsigned long>(bytes.size());
  const auto good = [&](int code) {
    HV_CHECK_INPUT(code == 0, name, ": damaged image: ", tjGetErrorStr2(decoder.get()), ": replace the file");
  };
  int width = 0, height = 0, sampling = 0, space = 0;
  good(tjDecompressHeader3(decoder.get(), bytes.data(), size, &width, &height, &sampling, &space));
  check_picture_size(width, height, name);
  HV_CHECK_INPUT(space != TJCS_CMYK && space != TJCS_YCCK, name, ": a CMYK picture: convert it to RGB");
  const auto plane = static_cast<size_t>(width) * static_cast<size_t>(height);
  std::vector<uint8_t> rgb(3 * plane);
  // A warning is an error, because the rest of a file that is cut short would otherwise become grey. LIMITSCANS refuses
  // progressive files with very many scans.
  good(tjDecompress2(decoder.get(), bytes.data(), size, rgb.data(), width, 0, height, TJPF_RGB,
                     TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS));
  return planes_from_rgb(rgb, height, width);
}

}  // namespace hv::data
