// A training by the program in a folder that removes itself: a model whose steps take a moment, on a data set of 64 and 16
// images, saved at step 0. It can be started from there many times, and the results compared.
#pragma once

#include "data/open.h"
#include "tests/crash_fixtures.h"
#include "tests/process.h"
#include "train/start/provenance.h"
#include "train/start/setup.h"

namespace hv::crash_fixtures {

inline void write_records(const std::string& folder, int64_t train, int64_t test) {
  fs::create_directories(folder);
  for (const auto& [split, name, count] :
       {std::tuple{data::Split::train, "data_batch_1.bin", train}, std::tuple{data::Split::test, "test_batch.bin", test}}) {
    std::ofstream out(join_path(folder, name), std::ios::binary);
    std::vector<uint8_t> record(3073);
    for (int64_t i = 0; i < count; ++i) {
      data::draw_shape_record(1, split, i, record.data());
      out.write(reinterpret_cast<const char*>(record.data()), 3073);
    }
  }
}

inline TrainOptions often_saved(int64_t steps) {
  TrainOptions o = tiny_options();
  o.steps = steps;
  o.save_every = 2;
  o.log_interval = 1;
  return o;
}

class Training {
 public:
  explicit Training(TrainOptions o, const models::Config& config = small_model()) {
    o.data = folder_ / "data";
    write_records(o.data, 64, 16);
    const data::Source source = choose_data(o.data, o.kind, 32);
    const data::DatasetPtr train = data::open(source, data::Split::train), test = data::open(source, data::Split::test);
    const auto model = models::make_model(config, 5);
    RunSetup setup{*model, model->subnets(), *train, test.get(), o};
    setup.provenance = provenance(source, *train, test.get());
    const Trainer trainer(setup, make_recipe(o, *model, setup.subnets));
    save_checkpoint(folder_ / "start.ckpt", trainer.header(), trainer.tensors());
    begin();
  }
  void begin() const {
    fs::remove_all(run());
    fs::create_directories(run());
    fs::copy_file(folder_ / "start.ckpt", join_path(run(), "last.ckpt"));
  }
  std::string run() const { return folder_ / "run"; }
  std::string output_path() const { return folder_ / "output"; }
  std::string output() const { return test::slurp(output_path()); }
  std::vector<std::string> command(const std::vector<std::string>& more = {}, int threads = 1,
                                   const char* report = "off") const {
    std::vector<std::string> all = {test::program(),         "train",    "--resume", run(), "--threads",
                                    std::to_string(threads), "--report", report};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // The result of a finished run: the bits of its states, and its predictions for every test image.
  std::string result() const {
    std::string text = test::slurp(join_path(run(), "predictions.csv"));
    for (const char* name : {"last.ckpt", "best.ckpt"}) {
      for (const TensorEntry& tensor : load_checkpoint(join_path(run(), name)).header.tensors) text += concat(tensor.crc, ' ');
    }
    return text;
  }
  int64_t last_logged() const {  // the last step that is known to be done
    int64_t step = 0;
    for (const std::string& line : lines(join_path(run(), "events.jsonl"))) {
      const size_t at = line.find("\"step\":");
      if (at != std::string::npos && line.back() == '}') step = std::stoll(line.substr(at + 7));
    }
    return step;
  }

 private:
  Folder folder_;
};

}  // namespace hv::crash_fixtures
