// The learning rate as a function of the position in a run: linear warm-up, then cosine or constant.
//
//   warm-up of w steps:  lr * (s + 1) / w                                       for s < w
//   cosine:              min_lr + (lr - min_lr) * (1 + cos(pi * (s - w) / (total - w))) / 2
// Thread rule: a Schedule is a small value.
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

  // A run that is limited by the clock alone has no steps to count: it uses this many imaginary ones.
  static constexpr double kClockSteps = 10000;

  double at(double step) const;  // step in [0, total_steps]; may lie between two steps
};

const std::vector<std::string>& schedule_names();

}  // namespace hv::train
