// The learning rate as a function of the position in a run: linear warm-up, then cosine or constant.
//
//   warm-up of w steps:  lr * min(1, (s + 1) / w)                               for s < w
//   cosine:              min_lr + (lr - min_lr) * (1 + cos(pi * (s - w) / (total - w))) / 2
// The cosine is equation 5 of Loshchilov and Hutter 2017 ("SGDR"), without restarts.
// Thread rule: plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

struct Schedule {
  std::string kind = "cosine";  // or "constant"
  double lr = 1e-3, min_lr = 0;
  double warmup_steps = 0;
  double total_steps = 0;

  // A run that is limited by the clock alone has no known number of steps. Only then the schedule follows the clock: it maps
  // the time limit to this many steps.
  static constexpr double kClockSteps = 10000;

  double at(double step) const;  // the learning rate; step in [0, total_steps] need not be whole
};

const std::vector<std::string>& schedule_names();

}  // namespace hv::train
