// Event files for TensorBoard. They hold the same numbers as events.jsonl. The format is that of
// tensorflow/core/lib/io/record_writer.h and tensorflow/core/util/event.proto.
//
// A file is a sequence of TFRecords. Each of them is
//     u64 length | u32 masked CRC-32C of the length | payload | u32 masked CRC-32C of the payload        (little-endian)
// and its payload is a message in protobuf's wire format:
//     Event { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary, 7: SessionLog { 1: status, START = 1 } }
//     Summary { 1: repeated Value { 1: string tag, 2: float simple_value } }
// The few fields are written by hand, because a generator, its schemas and a library at run time would be more code.
//
// Invariants
//   1. Each session of a run writes its own file. The file of a resumed session begins with a record (SessionLog START) that
//      makes TensorBoard discard the later steps of earlier files.
//   2. Each record is written by one write().
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
  // Creates events.out.tfevents.<Unix time>.<host>.<process>. A file that cannot be written is an error (Fault::failure).
  TensorBoard(const OpenFolder& folder, const StartEvent& start);
  void add(const LogEvent& log);    // writes loss/train, train_loss/heads=3, lr, images_per_second
  void add(const EvalEvent& eval);  // writes top1/heads=3, top5/heads=3, loss/heads=3, and the same with ema_ before

 private:
  using Scalars = std::vector<std::pair<std::string, double>>;  // tag, value
  void write(int64_t step, const Scalars& scalars);
  AppendFile file_;
};

std::string tf_record(const std::string& payload);  // the bytes of one TFRecord
uint32_t masked_crc32c(const std::string& bytes);   // rotated right by 15 bits, plus 0xa282ead8 (core/lib/hash/crc32c.h)

}  // namespace hv::train
