// If a model cannot learn 64 images by heart, one of its gradients is wrong. Here all widths of one small HydraViT must learn
// them together.
#include <doctest/doctest.h>

#include "core/parallel.h"
#include "models/hydravit.h"
#include "models/mlp_classifier.h"
#include "nn/losses.h"
#include "train/optim/optimizer.h"

using namespace hv;

namespace {

struct Images {
  Tensor pixels;
  std::vector<int64_t> labels;
};

Images random_images(int64_t count, int64_t side, int64_t classes) {
  Stream random(1, Purpose::test);
  Images out{Tensor::normal({count, 3, side, side}, 0, 1, random), {}};
  for (int64_t i = 0; i < count; ++i) out.labels.push_back(random.below(static_cast<uint32_t>(classes)));
  return out;
}

// One width per step, in turn. Returns the losses of all widths at the end, in evaluation mode.
std::vector<double> overfit(models::ElasticModel& model, const Images& images, int steps, double lr) {
  const nn::CrossEntropy loss_of;
  const auto optimizer = train::make_optimizer(model.parameters(), {});
  const auto& widths = model.subnets();
  const int threads = num_threads();
  set_num_threads(1);  // too little work to share; the bits are the same
  model.train();
  for (int step = 0; step < steps; ++step) {
    loss_of(model.forward(images.pixels, widths[static_cast<size_t>(step) % widths.size()]), images.labels).backward();
    optimizer->step(lr, 1);
  }
  model.eval();
  NoGrad off;
  std::vector<double> losses;
  for (const models::Subnet& width : widths)
    losses.push_back(loss_of(model.forward(images.pixels, width), images.labels).item());
  set_num_threads(threads);
  return losses;
}

}  // namespace

TEST_CASE("overfit: 64 images to a loss below 0.01 at every width") {
  models::HydraViTConfig config;
  config.image = 8;
  config.depth = 2;
  config.head_dim = 8;
  config.heads_min = 2;
  config.heads = 4;
  const Images images = random_images(64, config.image, config.classes);
  for (const char* init : {"trunc_normal", "reference"}) {
    config.init = init;
    models::HydraViT model(config, 3);
    for (double loss : overfit(model, images, 240, 1e-2)) CHECK(loss < 0.01);
  }
}

TEST_CASE("overfit: the two-layer classifier") {
  models::MlpClassifier model({8, 3, 64, 10}, 3);
  for (double loss : overfit(model, random_images(64, 8, 10), 150, 5e-3)) CHECK(loss < 0.01);
}
