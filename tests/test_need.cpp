// Memory and time of a pass: the estimates against what is really held, budgets, and what is refused before anything runs.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/ops.h"
#include "core/parallel.h"
#include "models/hydravit.h"
#include "models/mlp_classifier.h"
#include "models/relevance.h"
#include "tests/predict_fixtures.h"
#include "tests/program.h"
#include "train/io/memory.h"
#include "train/predict/need.h"

using namespace hv;
using namespace hv::train;
using Json = nlohmann::json;
using fixtures::error_of;
using fixtures::TempDir;
using fixtures::write_text;

namespace {

// Sets --memory for a test.
struct Budget {
  explicit Budget(const std::string& text) { memory_field().set(text); }
  ~Budget() { memory_field().set(""); }
};

// 4,097 tokens or few, one head of one channel: a file of some kilobytes.
models::HydraViTConfig tiny(int64_t image, int64_t patch) {
  models::HydraViTConfig c;
  c.image = image;
  c.patch = patch;
  c.depth = c.head_dim = c.heads = c.heads_min = c.mlp_ratio = 1;
  c.classes = 2;
  return c;
}

// Numbers that `action` holds at most, in its second run: the first one fills pools.
template <class Action>
double held(const Action& action) {
  action();
  const int64_t before = memory_stats().live_bytes;
  reset_peak_memory();
  action();
  return static_cast<double>(memory_stats().peak_bytes - before) / sizeof(Real);
}

// `threads`: the part of the bound that does not grow with the batch.
void check_bound(double bound, double threads, double real) {
  CHECK(real <= bound + threads);
  CHECK(bound <= 3 * real);
}

}  // namespace

TEST_CASE("need: what a pass is estimated to hold is an upper bound, and no wild one") {
  std::vector<models::Config> configs = {models::named_model("nano", 10),         models::named_model("nano", 3000),
                                         models::to_config(tiny(256, 16)),        models::to_config(tiny(512, 256)),
                                         models::named_model("mlp", 10),          models::named_model("thinking-nano", 10),
                                         models::named_model("supervit-nano", 10)};
  configs.push_back(models::named_model("slim-nano", 10));  // behind those that are counted below
  configs[1]["dropout"] = configs[1]["drop_path"] = "0.1";
  configs[1]["mlp_ratio"] = "4";
  models::HydraViTConfig heads = tiny(64, 4);
  heads.heads = heads.heads_min = 24;
  configs.push_back(models::to_config(heads));
  const int64_t batch = 4;
  std::vector<std::pair<models::Config, models::Cost>> cases;
  for (const models::Config& config : configs) cases.emplace_back(config, models::costs(config).back());
  // The smallest size with the fewest tokens; the same of the largest size.
  const std::vector<models::Cost> views = models::costs(configs[6]);
  for (const size_t i : {size_t{0}, views.size() - 3}) cases.emplace_back(configs[6], views[i]);
  for (const auto& each : cases) {
    const models::Config& config = each.first;
    const models::Cost& cost = each.second;
    const auto model = models::make_model(config, 1);
    INFO(config.at("model"), ": ", cost.subnet.label, ", image ", config.at("image"), ", classes ", config.at("classes"));
    Stream stream(1, Purpose::test);
    const Tensor images = Tensor::normal({batch, 3, model->image_size(), model->image_size()}, 0, 1, stream);
    const Tensor targets = Tensor::full({batch, model->classes()}, 0.1);
    const auto bound = [&](double image) { return static_cast<double>(batch) * image; };
    const double threads = num_threads() * cost.need.thread;
    model->eval();
    check_bound(bound(cost.need.forward), threads, held([&] {
                  const NoGrad off;
                  model->forward(images, cost.subnet);
                }));
    if (cost.need.rollout > 0) {
      CHECK(held([&] { model->rollout(images, cost.subnet); }) <= bound(cost.need.rollout) + threads);
    }
    if (cost.need.rollout > 0) {
      const Budget plenty("1e15");
      const auto fit = [&](double kept) {  // images of a pass that leaves this memory free
        return fitting_batch("a", config, {cost.subnet}, int64_t{1} << 40, Pass::relevance, kept);
      };
      // Bytes of one image and of all threads, from how many images fit.
      const double one = 5e14 / static_cast<double>(fit(0) - fit(5e14));
      CHECK(4 * held([&] { models::relevance(*model, images, cost.subnet, 0); }) <= bound(one) + 4 * threads);
    }
    model->train();
    model->zero_grad();
    const auto train = [&] {
      const nn::NoiseScope noise(uint64_t{1}, uint64_t{1});
      cross_entropy(model->forward(images, cost.subnet), targets).backward();
    };
    check_bound(bound(cost.need.training), threads + static_cast<double>(cost.params), held(train));
  }
}

TEST_CASE("need: memory is the least of what system, control groups and limits leave") {
  const TempDir root;
  const auto put = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root / path).parent_path());
    write_text(root / path, text);
  };
  CHECK(available_memory() > 0);
  CHECK(std::isinf(available_memory(root.path())));  // nothing is known
  put("proc/meminfo", "MemTotal:       9000 kB\nMemFree:  1 kB\nMemAvailable:    8000 kB\n");
  CHECK(available_memory(root.path()) == 8000 * 1024);
  put("proc/self/cgroup", "12:pids:/x\n0::/a/b\n");
  put("sys/fs/cgroup/a/b/memory.max", "max\n");
  put("sys/fs/cgroup/a/b/memory.current", "123\n");
  CHECK(available_memory(root.path()) == 8000 * 1024);
  put("sys/fs/cgroup/a/memory.max", "5000000\n");
  put("sys/fs/cgroup/a/memory.current", "3000000\n");
  CHECK(available_memory(root.path()) == 2'000'000);
  put("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 1000000\n");  // given up when memory is needed
  CHECK(available_memory(root.path()) == 3'000'000);
  put("sys/fs/cgroup/memory.max", "1000\n");
  put("sys/fs/cgroup/memory.current", "3000\n");
  CHECK(available_memory(root.path()) == 0);
  put("proc/self/cgroup", "4:memory:/c\n");
  put("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "7000\n");
  put("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "3000\n");
  CHECK(available_memory(root.path()) == 4000);

  CHECK(bytes_text(1234) == "2 kB");
  CHECK(bytes_text(3.94e8) == "394 MB");
  CHECK(bytes_text(1.28e10) == "12.8 GB");
  const Budget budget("2G");
  CHECK(memory_budget() == 2e9);
  CHECK(error_of([] {
          const Budget bad("lots");
          memory_budget();
        }).text == "--memory: 'lots' is no amount above 0; write it as 5e6, 800k, 12M or 1.5G");
}

TEST_CASE("need: batches are cut to fit, one image that does not fit is refused, and so is one that takes minutes") {
  const models::Config config = models::to_config(tiny(4096, 64));
  const std::vector<models::Subnet> widths = models::subnets_of(tiny(4096, 64));
  int64_t before = 0;
  for (const char* memory : {"1.5G", "3G", "30G", "300G"}) {
    const Budget budget(memory);
    const int64_t fit = fitting_batch("a.ckpt", config, widths, 64);
    CHECK(fit > before);
    before = fit;
  }
  CHECK(before == 64);
  {
    const Budget budget("300M");
    const fixtures::Caught caught = error_of([&] { fitting_batch("a.ckpt", config, widths, 64); });
    CHECK(caught.code == 3);
    CHECK(caught.text.find("a.ckpt: one image at heads=1 needs ") == 0);
    CHECK(caught.has(" of memory, there are 300 MB; choose a narrower width with --heads, or allow more with --memory"));
  }
  {
    const Budget budget("3G");  // what is held beside a pass counts
    CHECK(error_of([&] { fitting_batch("a.ckpt", config, widths, 64, Pass::forward, 2.9e9); }).code == 3);
    CHECK(error_of([&] { fitting_batch("a.ckpt", config, widths, 64, Pass::forward, 1e9); }).code == 0);
  }

  models::HydraViTConfig slow = tiny(256, 4);  // 4,097 tokens
  slow.heads = 256;
  const std::vector<models::Subnet> slow_widths = models::subnets_of(slow);
  const Budget budget("1000G");
  const fixtures::Caught caught = error_of([&] { fitting_batch("a.ckpt", models::to_config(slow), slow_widths, 1); });
  CHECK(caught.code == 3);
  CHECK(caught.has("takes the time of "));
  CHECK(fitting_batch("a.ckpt", models::to_config(slow), {slow_widths[0]}, 1) == 1);  // a narrow width can still be run
  // Attention maps of all heads at once.
  const double forward = models::costs(models::to_config(slow)).back().need.forward;
  CHECK(models::costs(models::to_config(slow)).back().need.rollout > forward + 256.0 * 4097 * 4097);

  // The largest model that a configuration may describe is no absurd one.
  models::HydraViTConfig large = models::preset("deit");
  large.image = 1024;
  large.heads = large.heads_min = 16;
  large.depth = 24;
  CHECK(fitting_batch("a.ckpt", models::to_config(large), models::subnets_of(large), 1, Pass::rollout) == 1);
  models::HydraViTConfig deep = tiny(256, 4);  // quick, but for the product of 32 maps of 4097 x 4097
  deep.depth = 32;
  CHECK(fitting_batch("a.ckpt", models::to_config(deep), models::subnets_of(deep), 1) == 1);
  CHECK(error_of([&] { fitting_batch("a.ckpt", models::to_config(deep), models::subnets_of(deep), 1, Pass::rollout); }).code ==
        3);
}

TEST_CASE("need: a training that does not fit is refused with advice, and is never changed") {
  TrainOptions o;
  o.preset = "deit";
  const models::Config config = models::named_model("deit", 10);
  std::vector<models::Subnet> widths;
  for (const models::Cost& cost : models::costs(config)) widths.push_back(cost.subnet);
  const auto refusal = [&] { return error_of([&] { check_training_fits(config, widths, o, 1000); }); };
  {
    const Budget budget("8G");
    const fixtures::Caught caught = refusal();
    CHECK(caught.code == 2);
    CHECK(caught.text.find("--batch-size: 128 images a pass at heads=12 need ") == 0);
    CHECK(caught.has("of memory, there are 8.0 GB; lower it and raise --grad-accum as much"));
    o.batch_size = 8;
    CHECK(refusal().code == 0);
    o.eval_batch = 4000;
    CHECK(refusal().text.find("--eval-batch: 1000 images a pass at heads=12 need ") == 0);
  }
  const Budget budget("1G");  // weights, gradients, moments and average alone
  o.batch_size = 1;
  CHECK(refusal().code == 2);
}

TEST_CASE("need: the program cuts batches in predict and eval, and refuses in train, lr-find and report") {
  if (!program_fixtures::Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const program_fixtures::Program program;
  const auto model = fixtures::make_nano(program / "m");
  for (int i = 0; i < 3; ++i) fixtures::write_shape(program / concat(i, ".png"), i);
  const std::string pictures = "predict m 0.png 1.png 2.png --threads 1 --format csv";
  const auto whole = program(pictures), cut = program(pictures + " --memory 1.5M");
  CHECK(whole.code == 0);
  CHECK(cut.code == 0);
  CHECK(cut.out == whole.out);
  check_refused(program(pictures + " --memory 200k"), 3, "m: one image at heads=6 needs ");
  check_refused(program(pictures + " --memory 900k --explain e.png"), 3, "m: one image at heads=6 needs ");
  CHECK(program(pictures + " --memory 5M --explain e.png").code == 0);
  check_refused(program(pictures + " --memory 0"), 2, "--memory: '0' is no amount above 0");

  const auto evaluated = program("eval m --data data --threads 1 --heads all --json --memory 3M");
  CHECK(evaluated.code == 0);
  CHECK(program_fixtures::contains(evaluated.err, " images a pass: more do not fit into memory"));
  // Products of other sizes may round differently: the same classes, the same loss but for its last digits.
  const Json cut_rows = Json::parse(evaluated.out)["results"];
  const Json rows = Json::parse(program("eval m --data data --threads 1 --json").out)["results"];
  REQUIRE(cut_rows.size() == 5);
  for (size_t i = 0; i < 5; ++i) {
    CHECK(cut_rows[i]["top1"] == rows[i]["top1"]);
    CHECK(cut_rows[i]["loss"].get<double>() == doctest::Approx(rows[i]["loss"].get<double>()).epsilon(1e-6));
  }
  check_refused(program("eval m --data data --memory 100k"), 3, "m: one image at heads=6 needs ");

  const std::string train = std::string(program_fixtures::kTrain) + "--heads all --steps 2 --eval-batch 8 ";
  check_refused(program(train + "--out r --memory 4M"), 2, "--batch-size: 16 images a pass at heads=6 need ");
  CHECK_FALSE(std::filesystem::exists(program / "r"));
  check_refused(program("lr-find --data data --batch-size 16 --threads 1 --memory 4M"), 2, "--batch-size: 16 images a pass");
  CHECK(program(train + "--out r --memory 40M").code == 0);
  CHECK(program("report r --memory 100k").code == 0);  // a page with reasons in place of pictures
  const std::string page = program_fixtures::slurp(program / "r/report.html");
  CHECK(program_fixtures::contains(page, "one image at heads=6 needs "));
  CHECK(program_fixtures::contains(page, "Test accuracy against parameters"));
}
