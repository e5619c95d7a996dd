#include "models/vit_need.h"

namespace hv::models {

// Letters as in mac_count. One block at a time is live in a forward pass, all of them are in a training step. The factors are
// upper bounds of what the tensor pool was measured to hold (tests/test_need.cpp).
Need vit_need(const VitShape& s, int64_t macs) {
  const double t = static_cast<double>(s.tokens), h = static_cast<double>(s.heads), d = static_cast<double>(s.head_dim);
  const double r = static_cast<double>(s.mlp_ratio), depth = static_cast<double>(s.depth);
  const double patches = static_cast<double>(s.pixels), x = t * h * d, classes = static_cast<double>(s.classes);
  const double sums = 2 * h * (t + 16), scores = t * (t + 16);  // rows of scores are whole vectors
  Need need;
  need.forward = patches + (6 + 2 * r) * x + sums + 2 * classes;
  need.training = 2 * patches + (depth + 1) * ((6 + 1.5 * r) * x + sums) + 4 * classes;
  need.rollout = need.forward + (3 * h + 4) * t * t;
  need.thread = 2 * scores + 4 * d * (t + 16) + (1 << 16);
  // A score costs an exponential and its memory. If the scores of a head exceed a cache, the columns of v that are no whole
  // vector cost a cache miss per score each. Measured with two threads of AVX-512.
  const double columns = t > 1024 ? static_cast<double>(s.head_dim % 16) : 0;
  need.work = static_cast<double>(macs) + depth * h * t * t * (100 + 250 * columns);
  need.rollout_work = need.work + depth * t * t * (t + 100 * h);  // the product of the blocks' maps, and each head's map
  return need;
}

}  // namespace hv::models
