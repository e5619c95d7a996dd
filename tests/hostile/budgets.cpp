#include "tests/hostile/budgets.h"

#include <sys/resource.h>
#include <time.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "models/hydravit.h"
#include "tests/data_fixtures.h"
#include "train/exchange/timm_layout.h"
#include "train/io/memory.h"
#include "train/predict/need.h"
#include "train/report/report.h"
#include "train/state/load.h"

namespace {

using namespace hv;
using namespace hv::train;

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

models::HydraViTConfig tiny(int64_t image, int64_t patch, int64_t heads, int64_t depth, int64_t classes) {
  models::HydraViTConfig c;
  c.image = image;
  c.patch = patch;
  c.heads = c.heads_min = heads;
  c.depth = depth;
  c.classes = classes;
  c.head_dim = c.mlp_ratio = 1;
  return c;
}

// A checkpoint of zeros; without its model, whose own memory would hide that of the reader.
void write_checkpoint(const std::string& path, const models::HydraViTConfig& c) {
  Header header;
  header.model = models::to_config(c);
  for (int64_t i = 0; i < c.classes; ++i) header.class_names.push_back(concat("c", i));
  header.mean = header.std = {0.5, 0.5, 0.5};
  std::vector<NamedTensor> tensors;
  for (const TimmShape& shape : timm_shapes(*models::plain_vit(header.model)))
    tensors.push_back({"model." + shape.name, Tensor::zeros(shape.shape)});
  save_checkpoint(path, header, tensors);
}

bool hold = true;

void check(const char* what, [[maybe_unused]] const std::string& path, const char* expected,
           const std::function<void()>& action) {
  const double start = cpu_seconds();
  [[maybe_unused]] const long before = peak_kib();
  const fixtures::Caught caught = fixtures::error_of(action);
  const double seconds = cpu_seconds() - start;
  [[maybe_unused]] const long grown = peak_kib() - before;
  bool good = caught.has(expected) && seconds < 1;
#ifndef HV_ASAN  // AddressSanitizer keeps what was freed
  good = good && grown < 64 * 1024 + 2 * static_cast<long>(std::filesystem::file_size(path) / 1024);
#endif
  hold = hold && good;
  std::printf("%-12s %-28s %.3f s, %ld KiB more%s%s\n", "budgets", what, seconds, grown,
              good ? "" : ": FAILED: ", good ? "" : caught.text.c_str());
}

}  // namespace

bool budgets_hold(const std::string& folder) {
  memory_field().set("300M");
  const auto predict = [&](const std::string& path, Pass pass = Pass::forward) {
    const Loaded loaded = load_model(path);
    fitting_batch(path, loaded.model->config(), loaded.model->subnets(), 64, pass);
  };
  const std::string large = folder + "/large.ckpt", slow = folder + "/slow.ckpt", run = folder + "/run";
  write_checkpoint(large, tiny(4096, 64, 1, 1, 2));
  write_checkpoint(slow, tiny(256, 4, 256, 1, 2));
  check("an image of 4096 pixels", large, "one image at heads=1 needs ", [&] { predict(large); });
  check("256 heads and 4,097 tokens", slow, "takes the time of ", [&] { predict(slow); });
  write_checkpoint(slow, tiny(256, 4, 16, 1, 2));
  check("attention maps", slow, "one image at heads=16 needs ", [&] { predict(slow, Pass::rollout); });
  std::filesystem::create_directory(run);
  write_checkpoint(run + "/last.ckpt", tiny(8, 8, 1, 1, 40'000));
  std::ofstream(run + "/predictions.csv") << "index,label,predicted_heads1,loss_heads1,confidence_heads1\n0,39999,7,1,0.5\n";
  check("a report of 40,000 classes", run + "/last.ckpt", "no error", [&] { write_report({run, {}, "", {}}); });
  memory_field().set("");
  return hold;
}
