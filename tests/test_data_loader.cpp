// The loader: every sample once per epoch, any batch at any time, the same bits on every visit, nothing allocated.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>
#include <thread>

#include "core/autograd.h"
#include "data/cifar.h"
#include "data/loader.h"
#include "data/sample.h"
#include "data/shapes10.h"
#include "tests/data_fixtures.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

namespace {

// Image i is filled with i (mod 256); label i % 3; image `broken` cannot be read.
class Numbered : public Dataset {
 public:
  explicit Numbered(int64_t size, int64_t broken = -1) : size_(size), broken_(broken) {
    name_ = "numbered";
    class_names_ = {"a", "b", "c"};
    height_ = width_ = 8;
    normalization_ = {{0, 0, 0}, {1.0 / 255, 1.0 / 255, 1.0 / 255}};  // values come out as they are
  }
  int64_t size() const override { return size_; }
  int64_t label(int64_t i) const override { return i % 3; }
  void image(int64_t i, uint8_t* chw) const override {
    ++reads;
    HV_CHECK_INPUT(i != broken_, "image ", i, " is broken");
    std::fill(chw, chw + image_bytes(), static_cast<uint8_t>(i));
  }
  std::string checksum() const override { return ""; }
  mutable std::atomic<int> reads{0};

 private:
  int64_t size_, broken_;
};

std::vector<int64_t> numbers_in(const Batch& batch) {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < batch.size(); ++i) numbers.push_back(std::lround(static_cast<double>(batch.images.at({i, 1, 2, 3}))));
  return numbers;
}

LoaderConfig config_of(int64_t batch_size, bool drop_last = true) {
  LoaderConfig config;
  config.batch_size = batch_size;
  config.drop_last = drop_last;
  config.seed = 42;
  return config;
}

}  // namespace

TEST_CASE("an epoch holds every sample once, in an order of its own; batches know their place") {
  const Numbered set(23);
  Loader loader(set, config_of(5, false));
  CHECK(loader.batches() == 5);
  std::vector<std::vector<int64_t>> epochs;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<int64_t> seen;
    for (int64_t i = 0; i < loader.batches(); ++i) {
      const Batch& batch = loader.at(epoch, i);
      CHECK(batch.epoch == epoch);
      CHECK(batch.index == i);
      CHECK(batch.first_sample == 5 * i);
      CHECK(batch.size() == (i < 4 ? 5 : 3));
      CHECK(batch.images.shape() == Shape{batch.size(), 3, 8, 8});
      CHECK(batch.targets.shape() == Shape{batch.size(), 3});
      const std::vector<int64_t> numbers = numbers_in(batch);
      for (int64_t j = 0; j < batch.size(); ++j) {
        const int64_t number = numbers[static_cast<size_t>(j)];
        CHECK(batch.labels[static_cast<size_t>(j)] == number % 3);
        for (int64_t k = 0; k < 3; ++k) CHECK(batch.targets.at({j, k}) == Real(k == number % 3));
      }
      seen.insert(seen.end(), numbers.begin(), numbers.end());
    }
    CHECK(std::set<int64_t>(seen.begin(), seen.end()).size() == 23);
    epochs.push_back(seen);
  }
  CHECK(epochs[0] != epochs[1]);
  CHECK(!std::is_sorted(epochs[0].begin(), epochs[0].end()));
  CHECK(Loader(set, config_of(5)).batches() == 4);
}

TEST_CASE("any batch, asked for in any order, has the same bits") {
  const DatasetPtr set = make_shapes10(Split::train, 100);
  LoaderConfig config = config_of(16);
  config.augment = augment_preset("full");
  Loader forward(*set, config);
  std::vector<std::vector<double>> images, targets;
  for (int64_t step = 0; step < 12; ++step) {
    const Batch& batch = forward.at(step / 6, step % 6);
    images.push_back(batch.images.to_vector());
    targets.push_back(batch.targets.to_vector());
  }
  Loader jumping(*set, config);
  for (const int64_t step : {7, 8, 3, 11, 0, 0, 1, 5, 6}) {
    const Batch& batch = jumping.at(step / 6, step % 6);
    CHECK(batch.images.to_vector() == images[static_cast<size_t>(step)]);
    CHECK(batch.targets.to_vector() == targets[static_cast<size_t>(step)]);
  }
  config.seed = 43;
  CHECK(Loader(*set, config).at(0, 0).images.to_vector() != images[0]);
}

TEST_CASE("a batch stays as it is while the next one is made; then a graph that kept it is told") {
  const Numbered set(40);
  Loader loader(set, config_of(4));
  const Batch& batch = loader.at(0, 0);
  const Saved kept(batch.images);
  const std::vector<double> before = batch.images.to_vector();
  while (set.reads < 8) std::this_thread::yield();  // the worker has read the next one
  CHECK(batch.images.to_vector() == before);
  CHECK_NOTHROW(kept.get());
  loader.at(0, 1);  // now the worker may reuse the memory
  CHECK_THROWS_AS(kept.get(), Error);
}

TEST_CASE("the evaluation loader: in order, each sample once, the short batch kept, nothing read beyond") {
  const Numbered set(10);
  Loader loader(set, evaluation_config(4));
  std::vector<int64_t> seen;
  for (int64_t i = 0; i < loader.batches(); ++i)
    for (const int64_t n : numbers_in(loader.at(0, i))) seen.push_back(n);
  CHECK(seen == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(set.reads == 10);
  Loader limited(set, evaluation_config(4, 6));
  CHECK(limited.samples() == 6);
  CHECK(limited.batches() == 2);
  CHECK(limited.at(0, 1).size() == 2);
  CHECK(Loader(set, evaluation_config(64)).at(0, 0).size() == 10);  // a batch larger than the set
}

TEST_CASE("the steady state allocates no tensor memory") {
  const DatasetPtr set = make_shapes10(Split::train, 64);
  LoaderConfig config = config_of(10, false);
  config.augment = augment_preset("full");
  Loader loader(*set, config);
  for (int64_t i = 0; i < 7; ++i) loader.at(0, i);
  const int64_t before = memory_stats().buffers;
  for (int64_t epoch = 1; epoch < 3; ++epoch)
    for (int64_t i = 0; i < 7; ++i) loader.at(epoch, i);
  CHECK(memory_stats().buffers == before);
}

TEST_CASE("an error of the worker reaches the batch it belongs to, and only that one") {
  const Numbered set(12, 5);
  LoaderConfig config = evaluation_config(4);
  config.wrap = true;
  Loader loader(set, config);
  CHECK(loader.at(0, 0).size() == 4);  // batch 1 is being made, and fails, in the background
  for (int again = 0; again < 2; ++again) {
    const Caught e = error_of([&] { loader.at(0, 1); });
    CHECK(e.text == "image 5 is broken");
    CHECK(e.code == 3);
  }
  CHECK(numbers_in(loader.at(0, 2)).front() == 8);
  CHECK(numbers_in(loader.at(1, 0)).front() == 0);
}

TEST_CASE("loaders end cleanly at any moment") {
  const Numbered set(64);
  for (int i = 0; i < 50; ++i) {
    Loader loader(set, config_of(8));
    for (int j = 0; j < i % 4; ++j) loader.at(0, j);
  }
  CHECK(set.reads > 0);
}

TEST_CASE("wrong arguments of a loader") {
  const Numbered set(10);
  const Caught e = error_of([&] { Loader(set, config_of(16)); });
  CHECK(e.has("the batch is larger than the data set: 16 > 10 (numbered, train): use a smaller batch size"));
  CHECK(e.code == 2);
  CHECK(error_of([&] { Loader(set, config_of(0)); }).has("batch size must be positive: 0"));
  Loader loader(set, config_of(5));
  CHECK(error_of([&] { loader.at(0, 2); }).has("no such batch: epoch 0, batch 2 of 2"));
  CHECK(error_of([&] { loader.at(-1, 0); }).has("no such batch"));
}

namespace {

// Sorted by class, as a folder is: the first n images are of the first class. Image i is filled with i (mod 256).
class Sorted : public Numbered {
 public:
  explicit Sorted(std::vector<int64_t> counts)
      : Numbered(std::accumulate(counts.begin(), counts.end(), int64_t{0})), counts_(std::move(counts)) {}
  int64_t label(int64_t i) const override {
    int64_t k = 0;
    for (; i >= counts_[static_cast<size_t>(k)]; ++k) i -= counts_[static_cast<size_t>(k)];
    return k;
  }
  std::vector<int64_t> counts_;
};

std::vector<int64_t> labels_of(Loader& loader, int64_t epoch = 0) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const Batch& batch = loader.at(epoch, i);
    labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
  }
  return labels;
}

}  // namespace

TEST_CASE("a limit leaves a sample of all classes, however the images are sorted") {
  const Sorted set({120, 60, 20});
  for (int64_t limit = 1; limit <= set.size(); ++limit) {
    LoaderConfig config = evaluation_config(64, limit);
    config.seed = 5;
    Loader test(set, config);
    config = config_of(limit);
    config.limit = limit;
    Loader train(set, config);
    for (Loader* loader : {&test, &train}) {
      const std::vector<int64_t> labels = labels_of(*loader);
      REQUIRE(std::ssize(labels) == limit);
      for (int64_t k = 0; k < 3; ++k) {
        const double share = static_cast<double>(limit * set.counts_[static_cast<size_t>(k)]) / 200;
        CHECK(std::abs(static_cast<double>(std::count(labels.begin(), labels.end(), k)) - share) <= 1);
      }
    }
  }
}

TEST_CASE("the sample is drawn from the seed; a smaller one is part of a larger one; mixed sets keep their order") {
  const Sorted set({40, 40});
  const std::vector<int64_t> ten = sample(set, 10, 1), twenty = sample(set, 20, 1);
  CHECK(ten == sample(set, 10, 1));
  CHECK(ten != sample(set, 10, 2));
  CHECK(std::is_sorted(ten.begin(), ten.end()));
  CHECK(std::includes(twenty.begin(), twenty.end(), ten.begin(), ten.end()));
  CHECK(sample(set, 0, 1).size() == 80);
  CHECK(sample(set, 99, 1) == sample(set, 0, 7));
  std::set<int64_t> firsts;  // with fewer images than classes, not always the first class
  for (uint64_t seed = 0; seed < 9; ++seed) firsts.insert(set.label(sample(set, 1, seed)[0]));
  CHECK(firsts.size() == 2);

  TempDir dir;
  auto records = make_records(60, 1, 10);
  write_bytes(dir / "data_batch_1.bin", records);
  const DatasetPtr mixed = open_cifar(dir.path(), CifarKind::cifar10, Split::train);
  for (const DatasetPtr& official : {mixed, make_shapes10(Split::test, 60)}) {
    CHECK(sample(*official, 4, 3) == std::vector<int64_t>{0, 1, 2, 3});
  }
  for (size_t i = 0; i < 60; ++i) records[3073 * i] = static_cast<uint8_t>(i / 30);  // sorted by somebody
  write_bytes(dir / "data_batch_1.bin", records);
  const DatasetPtr sorted = open_cifar(dir.path(), CifarKind::cifar10, Split::train);
  Loader loader(*sorted, evaluation_config(8, 8));
  CHECK(labels_of(loader) == std::vector<int64_t>{0, 0, 0, 0, 1, 1, 1, 1});
}
