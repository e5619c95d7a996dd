#include "data/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "core/check.h"
#include "core/parallel.h"
#include "core/timing.h"
#include "data/sample.h"

namespace hv::data {

LoaderConfig evaluation_config(int64_t batch_size, int64_t limit) {
  LoaderConfig config;
  config.batch_size = batch_size;
  config.shuffle = config.drop_last = config.wrap = false;
  config.limit = limit;
  return config;
}

void epoch_order(uint64_t seed, int64_t epoch, std::vector<int64_t>& order) {
  std::iota(order.begin(), order.end(), int64_t{0});
  Stream stream(seed, Purpose::shuffle, static_cast<uint64_t>(epoch));
  for (size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[stream.below(static_cast<uint32_t>(left))]);
}

struct Loader::State {
  struct Position {
    int64_t epoch = -1, index = -1;
    bool operator==(const Position&) const = default;
  };
  // One of the two places a batch is made in. The tensors of the usual and of the last, short batch share memory.
  struct Slot {
    Batch batch;
    Tensor full_images, full_targets, short_images, short_targets;
    Real *images = nullptr, *targets = nullptr;  // where the worker writes: the beginning of the full and of the short ones
    Position holds;
    std::exception_ptr error;
  };

  State(const Dataset& d, const LoaderConfig& c) : dataset(d), config(c) {
    HV_CHECK_USAGE(c.batch_size > 0, "loader: the batch size must be positive: ", c.batch_size);
    HV_CHECK_USAGE(c.limit >= 0, "loader: the limit must not be negative: ", c.limit);
    chosen = sample(d, c.limit, c.seed);
    samples = std::ssize(chosen);
    batches = c.drop_last ? samples / c.batch_size : (samples + c.batch_size - 1) / c.batch_size;
    HV_CHECK_USAGE(batches > 0, "loader: the batch is larger than the data set: ", c.batch_size, " > ", samples, " (", d.name(),
                   ", ", split_name(d.split()), "): use a smaller batch size");
    order.resize(static_cast<size_t>(samples));
    std::iota(order.begin(), order.end(), int64_t{0});
    const int64_t size = std::min(c.batch_size, samples), rest = samples % size;
    for (Slot& slot : slots) {
      slot.full_images = Tensor::empty({size, d.channels(), d.height(), d.width()});
      slot.full_targets = Tensor::empty({size, d.classes()});
      slot.short_images = slot.full_images.slice(0, 0, rest);
      slot.short_targets = slot.full_targets.slice(0, 0, rest);
      slot.batch.labels.reserve(static_cast<size_t>(size));
      slot.batch.groups.reserve(static_cast<size_t>(size));
    }
    for (int i = 0; i < (d.decodes() ? num_threads() : 1); ++i) augment.emplace_back(d, c.augment, c.seed);
    worker = std::thread([this] { work(); });
  }

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    worker.join();
  }

  // Runs on the worker thread. A slot with work to do belongs to the worker until `busy` is null again.
  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || busy; });
      if (stop) return;
      lock.unlock();
      try {
        make(*busy);
      } catch (...) {
        busy->error = std::current_exception();
      }
      lock.lock();
      busy = nullptr;
      changed.notify_all();
    }
  }

  void make(Slot& slot) {
    const Position at = slot.holds;
    if (config.shuffle && at.epoch != order_epoch) {
      epoch_order(config.seed, at.epoch, order);
      order_epoch = at.epoch;
    }
    Batch& batch = slot.batch;
    batch.epoch = at.epoch;
    batch.index = at.index;
    batch.first_sample = at.index * config.batch_size;
    const int64_t count = std::min(config.batch_size, samples - batch.first_sample);
    const bool full = count == slot.full_images.size(0);
    batch.images = full ? slot.full_images : slot.short_images;
    batch.targets = full ? slot.full_targets : slot.short_targets;
    batch.labels.resize(static_cast<size_t>(count));
    batch.groups.resize(static_cast<size_t>(count));

    const auto fill = [&](int64_t i, Augmenter& with) {
      const int64_t sample = chosen[static_cast<size_t>(order[static_cast<size_t>(batch.first_sample + i)])];
      batch.labels[static_cast<size_t>(i)] = dataset.label(sample);
      batch.groups[static_cast<size_t>(i)] = dataset.group(sample);
      dataset.target(sample, slot.targets + i * dataset.classes());
      with.load(at.epoch, sample, slot.images + i * dataset.image_bytes());
    };
    if (augment.size() == 1) {
      for (int64_t i = 0; i < count; ++i) fill(i, augment[0]);
    } else {
      fill_on_threads(count, fill);
    }
    Stream stream(config.seed, Purpose::mix, static_cast<uint64_t>(at.epoch), static_cast<uint64_t>(at.index));
    const Mix mix = draw_mix(config.augment, dataset.height(), dataset.width(), stream);
    batch.mixed = mix.active;
    mix_images(slot.images, count, dataset.height(), dataset.width(), mix);
    mix_targets(slot.targets, count, dataset.classes(), mix);
  }

  // Each thread takes the next image that none has taken. If several images are bad, the error is that of the first one.
  template <class Fill>
  void fill_on_threads(int64_t count, const Fill& fill) {
    std::vector<std::exception_ptr> errors(static_cast<size_t>(count));
    std::atomic<int64_t> next{0};
    const auto run = [&](Augmenter& own) {
      for (int64_t i = next++; i < count; i = next++) {
        try {
          fill(i, own);
        } catch (...) {
          errors[static_cast<size_t>(i)] = std::current_exception();
        }
      }
    };
    {
      std::vector<std::jthread> others;
      for (size_t i = 1; i < augment.size(); ++i) others.emplace_back([&run, &own = augment[i]] { run(own); });
      run(augment[0]);
    }
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
  }

  // Hands a slot to the worker. The caller holds the lock and the worker is idle.
  void request(Slot& slot, Position at) {
    slot.holds = at;
    slot.error = nullptr;
    // The memory is about to change: a graph that still holds the old batch must not use it unnoticed.
    slot.images = slot.full_images.mutable_data();
    slot.targets = slot.full_targets.mutable_data();
    busy = &slot;
    changed.notify_all();
  }

  const Batch& at(Position wanted) {
    HV_CHECK(wanted.epoch >= 0 && wanted.index >= 0 && wanted.index < batches, "loader: no such batch: epoch ", wanted.epoch,
             ", batch ", wanted.index, " of ", batches);
    std::unique_lock lock(mutex);
    const auto wait = [&] {
      if (!busy) return;
      const auto begin = std::chrono::steady_clock::now();
      changed.wait(lock, [&] { return !busy; });
      waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    if (!(current().holds == wanted)) {
      wait();
      active ^= 1;
      if (!(current().holds == wanted)) {
        request(current(), wanted);
        wait();
      }
    }
    if (current().error) {
      const std::exception_ptr error = current().error;
      current().holds = {};  // asking again tries again
      std::rethrow_exception(error);
    }
    Position next = {wanted.epoch, wanted.index + 1};
    if (next.index == batches) next = {wanted.epoch + 1, 0};
    Slot& other = slots[active ^ 1];
    if (!busy && !(other.holds == next) && (config.wrap || next.epoch == wanted.epoch)) request(other, next);
    return current().batch;
  }

  Slot& current() { return slots[active]; }

  const Dataset& dataset;
  const LoaderConfig config;
  int64_t samples = 0, batches = 0;

  std::mutex mutex;
  std::condition_variable changed;
  Slot* busy = nullptr;  // what the worker is making
  bool stop = false;
  Slot slots[2];
  size_t active = 0;  // the slot the caller looks at
  double waited = 0;

  // The worker's own.
  std::vector<Augmenter> augment;      // one for each thread that reads
  std::vector<int64_t> chosen, order;  // the images that the limit leaves; positions in `chosen`
  int64_t order_epoch = -1;
  std::thread worker;  // last: everything above is ready when it starts
};

Loader::Loader(const Dataset& dataset, const LoaderConfig& config) : state_(std::make_unique<State>(dataset, config)) {}
Loader::~Loader() = default;

int64_t Loader::samples() const { return state_->samples; }
int64_t Loader::batches() const { return state_->batches; }
const Batch& Loader::at(int64_t epoch, int64_t index) {
  const PartTimer timer(Part::data);  // what is not hidden behind computing
  return state_->at({epoch, index});
}
double Loader::wait_seconds() const { return state_->waited; }

}  // namespace hv::data
