// The same bits from the program for any number of threads, every time: for each kernel of OpenBLAS, each level of our own
// kernels and each bf16 unit. Kernels differ from each other in rounding. HYDRAVIT_LONG: more threads, all kernels, repeats.
#include <doctest/doctest.h>

#include <map>

#include "core/kernels/bf16.h"
#include "tests/training.h"
#include "train/files/crc32c.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;
using hv::test::Process;
using hv::test::slurp;

namespace {

struct Kernels {
  std::string variable, value;
  std::string precision, provenance;  // the checkpoint's header says the value under this name; "" for none
};

// Twenty steps with every option that draws random numbers or adds numbers up.
struct Run20 {
  Run20(const Folder& folder, const Kernels& kernels_, int threads_)
      : kernels(kernels_),
        threads(std::to_string(threads_)),
        run(folder / "run" + threads),
        output(folder / "output" + threads),
        process({test::program(), "train",
                 "--preset",      "nano",
                 "--heads",       "2-4",
                 "--data",        folder / "data",
                 "--steps",       "20",
                 "--batch-size",  "12",
                 "--lr",          "0.003",
                 "--augment",     "full",
                 "--drop-path",   "0.1",
                 "--dropout",     "0.1",
                 "--ema",         "0.9",
                 "--clip-grad",   "0.5",
                 "--precision",   kernels.precision,
                 "--threads",     threads,
                 "--report",      "off",
                 "--out",         run},
                output, {concat(kernels.variable, '=', kernels.value)}) {}
  uint32_t checksum() {  // of all tensors and predictions
    const int code = process.wait();
    INFO(slurp(output));
    REQUIRE(code == 0);
    const Header header = load_checkpoint(join_path(run, "last.ckpt")).header;
    CHECK(header.options.at("threads") == threads);
    if (!kernels.provenance.empty()) CHECK(header.provenance.at(kernels.provenance) == kernels.value);
    std::string text = slurp(join_path(run, "predictions.csv"));
    for (const TensorEntry& tensor : header.tensors) text += concat(tensor.crc, ' ');
    fs::remove_all(run);
    return crc32c(text.data(), text.size());
  }
  Kernels kernels;
  std::string threads, run, output;
  Process process;
};

}  // namespace

TEST_CASE("determinism: twenty steps of training leave the same bits on any number of threads, every time, with each kernel") {
  if (!test::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Folder folder;
  write_records(folder / "data", 64, 16);
  const bool v3 = __builtin_cpu_supports("avx2"), v4 = __builtin_cpu_supports("avx512vl");
  std::vector<Kernels> tried;
  if (v3) tried.push_back({"OPENBLAS_CORETYPE", "Haswell", "fp32", "blas_kernel"});
  if (v4) tried.push_back({"OPENBLAS_CORETYPE", "SkylakeX", "fp32", "blas_kernel"});
  if (long_form()) {
    tried.push_back({"OPENBLAS_CORETYPE", "Sandybridge", "fp32", "blas_kernel"});
    if (v3) tried.push_back({"OPENBLAS_CORETYPE", "Zen", "fp32", "blas_kernel"});
    tried.push_back({"HYDRAVIT_SIMD", "v2", "fp32", "simd"});
    if (v4) tried.push_back({"HYDRAVIT_SIMD", "v3", "fp32", "simd"});
    if (bf16_unit() != Bf16Unit::none) tried.push_back({"HYDRAVIT_BF16", "avx512", "bf16", ""});
    if (bf16_unit() == Bf16Unit::amx) tried.push_back({"HYDRAVIT_BF16", "amx", "bf16", ""});
  }
  const std::vector<int> threads = long_form() ? std::vector<int>{1, 2, 3, 4, 7, 8} : std::vector<int>{1, 3};
  for (const Kernels& kernels : tried) {
    CAPTURE(kernels.variable);
    CAPTURE(kernels.value);
    const int repeats = !long_form() ? 1 : kernels.variable == "OPENBLAS_CORETYPE" ? 20 : 3;
    std::map<uint32_t, int> runs;  // by checksum
    for (int repeat = 0; repeat < repeats; ++repeat) {
      std::vector<std::unique_ptr<Run20>> at_once;  // at the same time on purpose: they disturb each other's timing
      for (const int n : threads) at_once.push_back(std::make_unique<Run20>(folder, kernels, n));
      for (const auto& run : at_once) {
        CAPTURE(run->threads);
        ++runs[run->checksum()];
        REQUIRE(runs.size() == 1);
      }
    }
    for (const auto& [checksum, count] : runs) MESSAGE(count << " runs, checksum " << checksum);
  }
}
