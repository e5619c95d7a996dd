// The README's programs, run as they stand there: the code between each pair of markers is in README.md word for word.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>

// README program begins
#include "core/ops.h"
using namespace hv;

double train_circle() {
  Stream random(0, Purpose::init);
  Tensor x = Tensor::uniform({256, 2}, -1, 1, random);  // 256 points of a square
  Tensor y = Tensor::zeros({256, 1});                   // 1 inside a circle, 0 outside
  for (int i = 0; i < 256; ++i) y.mutable_data()[i] = x.at({i, 0}) * x.at({i, 0}) + x.at({i, 1}) * x.at({i, 1}) < 0.5;
  Tensor w1 = Tensor::normal({16, 2}, 0, 1, random).requires_grad_(), b1 = Tensor::zeros({16}).requires_grad_();
  Tensor w2 = Tensor::normal({1, 16}, 0, 0.25, random).requires_grad_(), b2 = Tensor::zeros({1}).requires_grad_();
  double last = 0;
  for (int step = 0; step < 1000; ++step) {
    Tensor loss = bce_with_logits(linear(tanh(linear(x, w1, b1)), w2, b2), y);
    loss.backward();
    NoGrad off;  // plain gradient descent
    for (const Tensor& p : {w1, b1, w2, b2}) p.add_(p.grad(), -1.0), p.zero_grad();
    last = loss.item();
  }
  return last;
}
// README program ends

// clang-format off: as it stands in the README
// README program begins
#include <cstdio>

#include "data/open.h"
#include "models/hydravit.h"
#include "train/evaluate.h"
#include "train/optim/optimizer.h"
#include "train/recipes/sampler.h"
using namespace hv;

std::vector<train::Result> train_hydravit(int64_t steps) {
  const data::DatasetPtr images = data::open({"shapes10"}, data::Split::train),
                         test = data::open({"shapes10"}, data::Split::test);
  models::HydraViT model(models::preset("nano"), 0);  // 2 to 6 heads in one set of weights
  data::LoaderConfig config;
  config.batch_size = 64;
  data::Loader loader(*images, config);
  const auto adamw = train::make_optimizer(model.parameters(), {});
  const train::WidthSampler width(0, std::ssize(model.subnets()));  // each step draws one of the five widths
  for (int64_t step = 0; step < steps; ++step) {
    const data::Batch& batch = loader.at(step / loader.batches(), step % loader.batches());
    const models::Subnet& drawn = model.subnets()[width.draw(step)];
    cross_entropy(model.forward(batch.images, drawn), batch.targets).backward();
    adamw->step(1e-3, 1);
  }
  const std::vector<train::Result> table = train::evaluate(model, model.subnets(), *test);
  for (const train::Result& row : table) {
    std::printf("%s: %9lld MACs, top-1 %.1f %%\n", row.subnet.label.c_str(), (long long)row.macs, row.metric("top1"));
  }
  return table;
}
// README program ends
// clang-format on

namespace {

std::string text_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("the README's program learns the circle") { CHECK(train_circle() < 0.1); }

TEST_CASE("the README's program trains HydraViT") {
#ifdef HV_ASAN  // slow, and looks at memory, not at what is learned
  CHECK(train_hydravit(5).size() == 5);
#else
  const std::vector<train::Result> table = train_hydravit(150);
  REQUIRE(table.size() == 5);
  for (const train::Result& row : table) CHECK(row.metric("top1") > 14);  // 10 is chance; measured: 16 to 23
#endif
}

TEST_CASE("the README shows these very programs") {
  const std::string source = text_of("tests/test_readme.cpp"), readme = text_of("README.md");
  const std::string begin = "\n// README program begins\n", end = "// README program ends\n";
  int programs = 0;
  for (size_t at = source.find(begin); at != std::string::npos; at = source.find(begin, at + 1)) {
    const size_t from = at + begin.size();
    const std::string program = source.substr(from, source.find(end, from) - from);
    CHECK(program.size() > 500);
    CHECK_MESSAGE(readme.find("```cpp\n" + program + "```\n") != std::string::npos, "not in README.md:\n", program);
    ++programs;
  }
  CHECK(programs == 2);
}
