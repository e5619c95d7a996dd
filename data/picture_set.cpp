#include "data/picture_set.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "core/check.h"
#include "core/parallel.h"
#include "data/checksum.h"
#include "data/checksum_cache.h"
#include "data/image.h"

namespace hv::data {
namespace {

bool is_grey(const uint8_t* chw, int64_t plane) {
  const auto bytes = static_cast<size_t>(plane);
  return std::memcmp(chw, chw + plane, bytes) == 0 && std::memcmp(chw, chw + 2 * plane, bytes) == 0;
}

}  // namespace

PictureSet::PictureSet(const std::string& root, const std::string& what, std::vector<std::string> paths,
                       std::vector<int64_t> marks, int64_t side, Progress progress, int64_t limit)
    : root_(root),
      what_(what),
      paths_(std::move(paths)),
      marks_(std::move(marks)),
      side_(side),
      plane_(side * side),
      progress_(std::move(progress)),
      limit_(limit) {
  HV_CHECK_USAGE(side >= 8 && side <= 1024, "folder: image size out of range: ", side, ": expected 8 to 1024");
  if (size() * plane_ > limit_) return;
  std::vector<uint8_t> first(static_cast<size_t>(3 * plane_));
  read(0, first.data());
  if (!is_grey(first.data(), plane_) || !keep(1)) keep(3);
}

// Decodes all. Returns false, and keeps nothing, if they do not fit or if one plane was to be kept of a picture in colour.
bool PictureSet::keep(int64_t planes) {
  const int64_t bytes = planes * plane_;
  if (size() * bytes > limit_) return false;
  std::vector<uint8_t> all(static_cast<size_t>(size() * bytes)), block;
  const bool kept = in_blocks([&](int64_t begin, int64_t end) {
    block.resize(static_cast<size_t>((end - begin) * 3 * plane_));
    read(begin, end, block.data());
    for (int64_t i = begin; i < end; ++i) {
      const uint8_t* picture = block.data() + (i - begin) * 3 * plane_;
      if (planes == 1 && !is_grey(picture, plane_)) return false;
      std::memcpy(all.data() + i * bytes, picture, static_cast<size_t>(bytes));
    }
    return true;
  });
  if (!kept) return false;
  planes_ = planes;
  decoded_ = std::move(all);
  return true;
}

void PictureSet::image(int64_t i, uint8_t* chw) const {
  checked(i);
  if (decoded_.empty()) return read(i, chw);
  const auto bytes = static_cast<size_t>(planes_ * plane_);
  for (int64_t copy = 0; copy < 3 / planes_; ++copy, chw += bytes) {
    std::memcpy(chw, decoded_.data() + static_cast<size_t>(i) * bytes, bytes);
  }
}

std::string PictureSet::checksum() const {
  std::call_once(checksum_once_, [&] {
    const ChecksumCache cache(decodes() ? root_ : "", what_, paths_, marks_);
    checksum_ = decodes() ? cache.find() : "";
    if (!checksum_.empty()) return;
    uint64_t hash = 0;
    std::vector<uint8_t> pixels;
    const auto bytes = static_cast<size_t>(3 * plane_);
    in_blocks([&](int64_t begin, int64_t end) {
      pixels.resize(static_cast<size_t>(end - begin) * bytes);
      read(begin, end, pixels.data());
      for (int64_t i = begin; i < end; ++i) {  // checkpoints hold the value, so it must stay this function
        const std::span<const uint8_t> own(pixels.data() + static_cast<size_t>(i - begin) * bytes, bytes);
        hash = xxh64(own, hash + static_cast<uint64_t>(mark(i)));
      }
      return true;
    });
    checksum_ = hex64(hash);
    if (decodes()) cache.keep(checksum_);
  });
  return checksum_;
}

size_t PictureSet::checked(int64_t i) const {
  HV_CHECK(i >= 0 && i < size(), "folder: image ", i, " of ", size());
  return static_cast<size_t>(i);
}

void PictureSet::read(int64_t i, uint8_t* chw) const {
  with_image(path(i), side_, [&](const Image& original) {
    const Image picture = resize_and_crop(original, side_);
    std::memcpy(chw, picture.chw.data(), picture.chw.size());
  });
}

void PictureSet::read(int64_t begin, int64_t end, uint8_t* chw) const {
  std::vector<std::exception_ptr> errors(static_cast<size_t>(end - begin));
  parallel_for(end - begin, [&](int64_t i) {  // no exception may leave the parallel region
    try {
      image(begin + i, chw + i * 3 * plane_);
    } catch (...) {
      errors[static_cast<size_t>(i)] = std::current_exception();  // allocates nothing
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

template <class Block>
bool PictureSet::in_blocks(Block&& block) const {
  const int64_t step = std::clamp((int64_t{64} << 20) / (3 * plane_), int64_t{1}, int64_t{512});
  for (int64_t begin = 0; begin < size(); begin += step) {
    const int64_t end = std::min(begin + step, size());
    if (!block(begin, end)) return false;
    if (progress_ && decodes()) progress_(end, size());
  }
  return true;
}

}  // namespace hv::data
