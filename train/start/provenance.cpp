#include "train/start/provenance.h"

#include <ctime>

#include "core/check.h"
#include "core/kernels/bf16.h"
#include "core/kernels/blas.h"
#include "core/kernels/simd.h"
#include "core/parallel.h"
#include "train/io/machine.h"

namespace hv::train {
namespace {

std::string compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

}  // namespace

std::string start_line(int64_t seed, const data::Source& source, const data::Dataset* train, const data::Dataset* test) {
  const data::Dataset* any = train ? train : test;
  std::string text = concat(blas_name(), " (", blas_kernel(), "), SIMD ", simd::kernels().level, ", ",
                            precision() == Precision::bf16 ? concat("bf16 on ", bf16_unit_name(), ", ") : "", num_threads(),
                            num_threads() == 1 ? " thread" : " threads", ", seed ", seed, ", data ", any->name());
  if (source.data != any->name()) text += " from " + source.data;
  text += ":";
  if (train) text += concat(" ", train->size(), " training", test ? "," : " images");
  if (test) text += concat(" ", test->size(), " test images");
  return text;
}

std::map<std::string, std::string> provenance(const data::Source& source, const data::Dataset& train,
                                              const data::Dataset* test) {
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  std::map<std::string, std::string> entries = {
      {"date", date},
      {"compiler", compiler()},
      {"cpu", processor_name()},
      {"threads", std::to_string(num_threads())},
      {"blas", blas_name()},
      {"blas_kernel", blas_kernel()},
      {"simd", simd::kernels().level},
      {"data", train.name()},
      {"data_source", source.data},
      {"data_images", std::to_string(train.size())},
      {"data_checksum", train.checksum()},
  };
  if (precision() == Precision::bf16) entries["bf16_unit"] = bf16_unit_name();
  if (test) entries["test_checksum"] = test->checksum();
  return entries;
}

std::string differing_arithmetic(const std::map<std::string, std::string>& stored,
                                 const std::map<std::string, std::string>& now) {
  std::string text;
  for (const auto& [name, title] :
       {std::pair{"simd", "SIMD"}, std::pair{"blas", ""}, std::pair{"blas_kernel", "BLAS kernels for"},
        std::pair{"bf16_unit", "bf16 on"}, std::pair{"compiler", ""}}) {
    const auto before = stored.find(name), after = now.find(name);
    if (before == stored.end() || after == now.end() || before->second == after->second) continue;
    text += concat(text.empty() ? "" : ", ", title, *title ? " " : "", before->second, " (now ", after->second, ")");
  }
  return text;
}

}  // namespace hv::train
