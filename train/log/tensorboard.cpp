#include "train/log/tensorboard.h"

#include <unistd.h>

#include <bit>
#include <chrono>
#include <cmath>

#include "train/files/crc32c.h"

namespace hv::train {
namespace {

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// --- protobuf: a field is a key (number and wire type), then a value --------------------------------------------------------

enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(uint64_t value) {  // seven bits per byte, the lowest first; the eighth bit is set if more bytes follow
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}
std::string key(int field, Wire wire) { return varint(static_cast<uint64_t>(field << 3 | static_cast<int>(wire))); }

std::string bytes_field(int field, const std::string& value) { return key(field, Wire::bytes) + varint(value.size()) + value; }
std::string int_field(int field, int64_t value) { return key(field, Wire::varint) + varint(static_cast<uint64_t>(value)); }
std::string double_field(int field, double value) {
  return key(field, Wire::fixed64) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string float_field(int field, double value) {
  return key(field, Wire::fixed32) + little_endian(std::bit_cast<uint32_t>(static_cast<float>(value)));
}

// --- events -----------------------------------------------------------------------------------------------------------------

double unix_time() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string event(int64_t step, const std::string& what) {
  return tf_record(double_field(1, unix_time()) + int_field(2, step) + what);
}

std::string file_name() {
  char host[256] = "unknown";
  gethostname(host, sizeof host - 1);
  return concat("events.out.tfevents.", static_cast<int64_t>(unix_time()), ".", host, ".", getpid());
}

}  // namespace

uint32_t masked_crc32c(const std::string& bytes) {
  const uint32_t crc = crc32c(bytes.data(), bytes.size());
  return std::rotr(crc, 15) + 0xa282ead8u;  // the mask keeps a checksum of data that contain checksums strong
}

std::string tf_record(const std::string& payload) {
  const std::string length = little_endian(static_cast<uint64_t>(payload.size()));
  return length + little_endian(masked_crc32c(length)) + payload + little_endian(masked_crc32c(payload));
}

TensorBoard::TensorBoard(const OpenFolder& folder, const StartEvent& start) : file_(folder / file_name()) {
  file_.append(event(0, bytes_field(3, "brain.Event:2")));
  if (start.resumed) file_.append(event(start.step + 1, bytes_field(7, int_field(1, 1))));
}

void TensorBoard::add(const LogEvent& log) {
  Scalars scalars = {{"loss/train", log.loss}, {"lr", log.at.lr}, {"images_per_second", log.images_per_second}};
  for (const LogEvent::Part& part : log.parts) {
    if (part.trained > 0) scalars.emplace_back("train_loss/" + part.subnet.label, part.loss);
  }
  write(log.at.step, scalars);
}

void TensorBoard::add(const EvalEvent& eval) {
  Scalars scalars;
  const auto put = [&](const std::string& prefix, const std::vector<Result>& results) {
    for (const Result& result : results) {
      for (const Metric& metric : result.metrics) {
        if (std::isnan(metric.value)) continue;  // not available
        scalars.emplace_back(concat(prefix, metric.name, '/', result.subnet.label), metric.value);
      }
    }
  };
  put("", eval.live);
  put("ema_", eval.ema);
  write(eval.at.step, scalars);
}

void TensorBoard::write(int64_t step, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) summary += bytes_field(1, bytes_field(1, tag) + float_field(2, value));
  file_.append(event(step, bytes_field(5, summary)));
}

}  // namespace hv::train
