#include "train/structure/speed.h"

#include <algorithm>
#include <chrono>

#include "train/predict/need.h"
#include "train/state/load.h"

namespace hv::train {
namespace {

constexpr int kRounds = 10;          // the first one warms up
constexpr int64_t kMostImages = 16;  // of a pass: short ones are rarely interrupted
constexpr double kMostWork = 1e12;   // multiply-adds: half a minute on two cores

}  // namespace

int64_t measure_in_turn(const std::vector<RunData*>& runs) {
  struct Timed {
    RunData* run;
    Loaded loaded;
  };
  std::vector<Timed> all;
  int64_t images = kMostImages;
  double work = 0;
  for (RunData* const run : runs) {
    run->images_per_second.clear();
    if (run->widths.empty()) continue;
    try {
      Timed timed{run, load_model(run->held)};
      const models::Config& config = timed.loaded.header.model;
      images = fitting_batch(timed.loaded.path, config, run->subnets(), images);
      work += kRounds * work_of(config, run->subnets());
      all.push_back(std::move(timed));
    } catch (const Error& error) {
      run->problems["speed"] = error.what();
    }
  }
  images = std::clamp(static_cast<int64_t>(kMostWork / std::max(work, 1.0)), int64_t{1}, images);
  const NoGrad off;
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& [run, loaded] : all) {
      const int64_t side = loaded.model->image_size();
      const Tensor batch = Tensor::zeros({images, 3, side, side});
      for (const models::Subnet& subnet : run->subnets()) {
        const auto begin = std::chrono::steady_clock::now();
        loaded.model->forward(batch, subnet);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        double& best = run->images_per_second[subnet.label];
        if (round > 0) best = std::max(best, static_cast<double>(images) / seconds.count());
      }
    }
  }
  return images;
}

}  // namespace hv::train
