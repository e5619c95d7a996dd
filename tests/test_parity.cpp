// HydraViT against PyTorch, on what tests/parity/make_fixtures.py wrote (the format is described there): logits, losses and
// every gradient at every width, and 20 steps of AdamW with the width changing from step to step.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "models/hydravit.h"
#include "nn/losses.h"
#include "tests/worse.h"
#include "train/optim/optimizer.h"

using namespace hv;

namespace {

using Fixture = std::map<std::string, Tensor>;

Fixture read_fixture(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::getline(file, line);
  REQUIRE_MESSAGE(line == "hydravit parity fixture 1", "run the tests from the top of the repository; missing or old: ", path);
  Fixture out;
  while (std::getline(file, line) && line != "end") {
    std::istringstream words(line);
    std::string name;
    words >> name;
    Shape shape;
    for (int64_t size = 0; words >> size;) shape.push_back(size);
    std::vector<float> values(static_cast<size_t>(numel(shape)));
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
    out[name] = Tensor::from({values.begin(), values.end()}, shape);
  }
  REQUIRE(line == "end");
  return out;
}

// The largest difference, relative to the largest value expected: the size that matters for a tensor with entries near 0.
double relative_error(const Tensor& found, const Tensor& expected) {
  REQUIRE(found.shape() == expected.shape());
  const std::vector<double> a = found.to_vector(), b = expected.to_vector();
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = test::worse(difference, std::abs(a[i] - b[i]));
    size = std::max(size, std::abs(b[i]));
  }
  REQUIRE(size > 0);
  return difference / size;
}

struct Setup {
  Fixture fixture = read_fixture("tests/parity/small_hydravit.bin");
  models::HydraViT model{config(), 0};
  std::vector<nn::Parameter> parameters = model.parameters();
  std::vector<int64_t> labels;
  nn::CrossEntropy loss_of{fixture["options"].at({0})};

  Setup() {
    NoGrad off;
    for (const nn::Parameter& p : parameters) p.value.copy_(fixture.at("weight." + p.name));
    for (double label : fixture["labels"].to_vector()) labels.push_back(static_cast<int64_t>(label));
  }
  models::HydraViTConfig config() {
    const std::vector<double> v = fixture["config"].to_vector();
    models::HydraViTConfig c;
    int64_t* fields[] = {&c.image,     &c.patch, &c.channels,  &c.depth,  &c.head_dim,
                         &c.heads_min, &c.heads, &c.mlp_ratio, &c.classes};
    for (size_t i = 0; i < v.size(); ++i) *fields[i] = static_cast<int64_t>(v[i]);
    return c;
  }
};

}  // namespace

TEST_CASE("parity with PyTorch: logits, loss and every gradient at every width") {
  Setup s;
  for (const models::Subnet& width : s.model.subnets()) {
    const std::string k = concat(width.axes[0].value);
    CAPTURE(k);
    s.model.zero_grad();
    const Tensor logits = s.model.forward(s.fixture["images"], width), loss = s.loss_of(logits, s.labels);
    CHECK(relative_error(logits, s.fixture.at("logits." + k)) < 1e-4);
    CHECK(relative_error(loss, s.fixture.at("loss." + k)) < 1e-4);
    loss.backward();
    const std::vector<Tensor> live = s.model.active(width);
    for (size_t i = 0; i < live.size(); ++i) {
      CAPTURE(s.parameters[i].name);
      CHECK(relative_error(live[i].grad(), s.fixture.at("grad." + k + "." + s.parameters[i].name)) < 1e-4);
    }
  }
}

TEST_CASE("parity with PyTorch: losses of 20 AdamW steps, the width changing") {
  Setup s;
  train::OptimizerConfig config;
  config.weight_decay = s.fixture["options"].at({2});
  const auto optimizer = train::make_optimizer(s.parameters, config);
  const std::vector<double> heads = s.fixture["adamw.heads"].to_vector(), losses = s.fixture["adamw.losses"].to_vector();
  REQUIRE(heads.size() == 20);
  for (size_t step = 0; step < heads.size(); ++step) {
    CAPTURE(step);
    const Tensor loss = s.loss_of(s.model.forward(s.fixture["images"], static_cast<int64_t>(heads[step])), s.labels);
    CHECK(static_cast<double>(loss.item()) == doctest::Approx(losses[step]).epsilon(1e-4));
    loss.backward();
    optimizer->step(s.fixture["options"].at({1}), 1);
  }
}
