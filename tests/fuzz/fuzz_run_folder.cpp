// A run folder as `report` and `train --resume` read it: the fuzzer's bytes as its events.jsonl, summary.csv and
// predictions.csv, beside a good checkpoint, or as its last.ckpt. The first byte chooses.
#include <fcntl.h>

#include <filesystem>

#include "models/hydravit.h"
#include "tests/fuzz/memory_file.h"
#include "train/log/events.h"
#include "train/log/summary.h"
#include "train/report/charts.h"
#include "train/start/resume.h"

namespace {

using namespace hv;
using namespace hv::train;
namespace fs = std::filesystem;

constexpr const char* kNames[] = {"events.jsonl", "summary.csv", "predictions.csv", "last.ckpt"};

models::HydraViTConfig tiny() {
  models::HydraViTConfig c;
  c.image = c.patch = 2;
  c.depth = c.head_dim = c.heads_min = c.mlp_ratio = 1;
  c.heads = c.classes = 2;
  return c;
}

// In memory, removed at the end.
struct RunFolder {
  std::string path =
      ((fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) / concat("hydravit-fuzz-run-", ::getpid()))
          .string();
  std::unique_ptr<models::HydraViT> model = std::make_unique<models::HydraViT>(tiny(), 1);
  RunFolder() {
    Header header;
    header.model = model->config();
    header.counters = {{"step", 7}};
    header.class_names = {"a", "b"};
    header.mean = header.std = {0.5, 0.5, 0.5};
    std::vector<NamedTensor> tensors;
    for (const nn::Parameter& p : model->parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
    fs::create_directories(path);
    save_checkpoint(join_path(path, "prev.ckpt"), header, tensors);
  }
  ~RunFolder() { fs::remove_all(path); }
};

void put(const std::string& path, const uint8_t* data, size_t size) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  ::close(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const RunFolder folder;
  if (size == 0) return 0;
  const std::string path = join_path(folder.path, kNames[data[0] % 4]);
  put(path, data + 1, size - 1);
  fuzz::may_refuse([&] {
    const RunData run = read_run(OpenFolder(folder.path));
    if (run.problems.count(kNames[data[0] % 4])) fail(Fault::input, "refused");
    const Runs runs = {run};
    if (run.summary && !run.widths.empty()) svg(accuracy_chart(runs, Cost::macs));
    if (run.events || run.summary) svg(loss_chart(runs));
    draws_chart(run);
    time_chart(run);
    if (run.predictions && !run.widths.empty()) confusion(*run.predictions, run.widths.back().subnet, 2);
  });
  fuzz::may_refuse([&] {  // as a run that goes on there
    const OpenFolder held(folder.path);
    load_run(
        held, [](const std::string&) {}, [](const std::string&) { return false; });
    Summary(held / "summary.csv", folder.model->subnets(), {}, false, 9);
    if (data[0] % 4 == 0) EventFile(held / "events.jsonl", {true, 9, 9, {}});
  });
  fs::remove(path);
  return 0;
}
