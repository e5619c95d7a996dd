// A run folder with a good checkpoint and one file that is tried, as `report` and `train --resume` read it. A parser alone is
// ten times as fast, so the targets of the folder's files come here only now and then: seldom().
#pragma once

#include <fcntl.h>

#include <filesystem>
#include <memory>

#include "models/hydravit.h"
#include "tests/fuzz/memory_file.h"
#include "train/files/crc32c.h"
#include "train/log/events.h"
#include "train/log/summary.h"
#include "train/report/charts.h"
#include "train/state/run_folder.h"

namespace hv::fuzz {

// True for one of `many` inputs. It depends on the input alone, so that a finding can be repeated.
inline bool seldom(const uint8_t* data, size_t size, uint32_t many) { return train::crc32c(data, size) % many == 0; }

class RunFolder {  // in memory, removed at the end
 public:
  RunFolder() {
    models::HydraViTConfig c;
    c.image = c.patch = 2;
    c.depth = c.head_dim = c.heads_min = c.mlp_ratio = 1;
    c.heads = c.classes = 2;
    model_ = std::make_unique<models::HydraViT>(c, 1);
    train::Header header;
    header.model = model_->config();
    header.counters = {{"step", 7}};
    header.class_names = {"a", "b"};
    header.mean = header.std = {0.5, 0.5, 0.5};
    std::vector<train::NamedTensor> tensors;
    for (const nn::Parameter& p : model_->parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
    std::filesystem::create_directories(path_);
    train::save_checkpoint(train::join_path(path_, "prev.ckpt"), header, tensors);
    good_ = train::read_run(train::OpenFolder(path_));
  }
  ~RunFolder() { std::filesystem::remove_all(path_); }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // What a report knows of the folder without the file that is tried: the checkpoint and its two subnetworks.
  const train::RunData& good() const { return good_; }
  const std::vector<models::Subnet>& subnets() const { return model_->subnets(); }

  // The bytes as the file of that name: `report` reads the folder, then a run goes on in it.
  void read(const std::string& name, const uint8_t* data, size_t size) const {
    using namespace train;
    const std::string path = join_path(path_, name);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
    ::close(file);
    may_refuse([&] {
      const RunData run = read_run(OpenFolder(path_));
      if (run.problems.count(name)) fail(Fault::input, "refused");
    });
    may_refuse([&] {
      const OpenFolder held(path_);
      load_run(
          held, [](const std::string&) {}, [](const std::string&) { return false; });
      Summary(held / "summary.csv", subnets(), {}, false, 9);
      if (name == "events.jsonl") EventFile(held / name, {true, 1, 9, {}});
    });
    std::filesystem::remove(path);
  }

 private:
  std::string path_ =
      ((std::filesystem::exists("/dev/shm") ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) /
       concat("hydravit-fuzz-run-", ::getpid()))
          .string();
  std::unique_ptr<models::HydraViT> model_;
  train::RunData good_;
};

inline const RunFolder& run_folder() {
  static const RunFolder folder;
  return folder;
}

}  // namespace hv::fuzz
