#include "train/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hv::train {

double Schedule::at(double step) const {
  if (step < warmup_steps) return lr * std::min(1.0, (step + 1) / warmup_steps);
  if (kind == "constant" || total_steps <= warmup_steps) return lr;
  const double progress = std::min(1.0, (step - warmup_steps) / (total_steps - warmup_steps));
  return min_lr + (lr - min_lr) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

const std::vector<std::string>& schedule_names() {
  static const std::vector<std::string> names = {"cosine", "constant"};
  return names;
}

}  // namespace hv::train
