// Says on stderr how far the reading of images is, if it takes more than two seconds. For data::Source::progress.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>

namespace hv::train {

std::function<void(int64_t done, int64_t total)> reading_progress();

}  // namespace hv::train
