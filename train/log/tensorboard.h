// TensorBoard's event files: the same numbers as events.jsonl, for those who watch their runs there.
//
// A file is a sequence of TFRecords, each
//     u64 length | u32 masked CRC-32C of the length | payload | u32 masked CRC-32C of the payload        little-endian
// with a payload in protobuf's wire format:
//     Event { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary, 7: SessionLog { 1: status, START = 1 } }
//     Summary { 1: repeated Value { 1: string tag, 2: float simple_value } }
// Five fields in all: they are written by hand, which is shorter than a generator, its schemas and a library at run time.
//
// Invariants
//   1. Each session of a run writes a file of its own. A resumed one says first that later steps of the files before are void.
//   2. A record is one write().
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "train/log/events.h"

namespace hv::train {

class TensorBoard {
 public:
  TensorBoard(const std::string& folder, const StartEvent& start);  // makes events.out.tfevents.<Unix time>.<host>.<process>
  void add(const LogEvent& log);                                    // loss/train, train_loss/heads=3, lr, images_per_second
  void add(const EvalEvent& eval);                                  // top1/heads=3, top5/heads=3, loss/heads=3, and ema_...

 private:
  using Scalars = std::vector<std::pair<std::string, double>>;  // tag, value
  void write(int64_t step, const Scalars& scalars);
  AppendFile file_;
};

std::string tf_record(const std::string& payload);
uint32_t masked_crc32c(const std::string& bytes);

}  // namespace hv::train
