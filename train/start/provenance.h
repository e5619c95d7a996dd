// What numbers come from: for people at the start of a command, and for whoever opens a checkpoint later.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "data/open.h"

namespace hv::train {

// "OpenBLAS 0.3.21 (SkylakeX), SIMD v4, 2 threads, seed 0, data cifar10 from datasets: 50000 training, 10000 test images"
std::string start_line(int64_t seed, const data::Source& source, const data::Dataset* train, const data::Dataset* test);
// For Header::provenance: date, compiler, processor, threads, BLAS, data.
std::map<std::string, std::string> provenance(const data::Source& source, const data::Dataset& train,
                                              const data::Dataset* test);
// What of two provenances changes the last bits of a training: "SIMD v4 (now v2), ..."; "" if nothing does. What a file does
// not tell is left out. The number of threads changes nothing.
std::string differing_arithmetic(const std::map<std::string, std::string>& stored,
                                 const std::map<std::string, std::string>& now);

}  // namespace hv::train
