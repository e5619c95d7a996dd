// CIFAR records. The first byte picks the kind; each further byte stands for one record: its label, or both labels.
#include <cstring>
#include <memory>

#include "data/cifar.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::data;
  if (size == 0) return 0;
  const auto kind = static_cast<CifarKind>(data[0] % 3);
  const size_t count = std::min<size_t>(size - 1, 16), record = static_cast<size_t>(cifar_record_bytes(kind));
  // The last three bits of the first byte cut the file short, or not.
  const size_t bytes = count * record - std::min<size_t>(count * record, data[0] >> 5);
  auto records = std::make_unique<uint8_t[]>(count * record);
  for (size_t i = 0; i < count; ++i) std::memset(records.get() + i * record, data[1 + i], record);
  const std::string& path = hv::fuzz::memory_file(records.get(), bytes);
  hv::fuzz::may_refuse([&] {
    const DatasetPtr set = open_cifar_files({path}, kind, Split::test);
    uint8_t pixels[kCifarPixels];
    for (int64_t i = 0; i < set->size(); ++i) {
      set->image(i, pixels);
      if (set->label(i) < 0 || set->label(i) >= set->classes()) std::abort();
    }
  });
  return 0;
}
