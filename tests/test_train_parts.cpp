// The small parts of training: schedule, width sampler, options, optimisers.
#include <doctest/doctest.h>

#include <cmath>

#include "core/ops.h"
#include "core/parallel.h"
#include "tests/trainer_fixtures.h"
#include "train/io/ranges.h"
#include "train/optim/ema.h"
#include "train/optim/optimizer.h"
#include "train/optim/schedule.h"
#include "train/options.h"
#include "train/recipes/sampler.h"
#include "train/subnets.h"

using namespace hv;
using namespace hv::train;

TEST_CASE("schedule: warm-up, cosine, constant") {
  const Schedule s{"cosine", 0.1, 0.01, 10, 110};
  CHECK(s.at(0) == doctest::Approx(0.01));
  CHECK(s.at(9) == doctest::Approx(0.1));
  CHECK(s.at(10) == doctest::Approx(0.1));
  CHECK(s.at(60) == doctest::Approx(0.055));
  CHECK(s.at(110) == doctest::Approx(0.01));
  CHECK(s.at(1000) == doctest::Approx(0.01));
  const Schedule constant{"constant", 0.1, 0, 0, 50};
  CHECK(constant.at(0) == 0.1);
  CHECK(constant.at(50) == 0.1);
  for (double step = 0; step < 110; step += 0.5) CHECK(s.at(step) <= 0.1);  // also between steps
}

TEST_CASE("width sampler: chi-square over a million draws, uniform and weighted") {
  const std::vector<std::vector<double>> cases = {{}, {1, 2, 3, 4, 0, 6}};
  for (const std::vector<double>& weights : cases) {
    const WidthSampler sampler(3, 6, weights);
    std::vector<double> counts(6);
    constexpr int64_t draws = 1000000;
    for (int64_t step = 0; step < draws; ++step) counts[static_cast<size_t>(sampler.draw(step))] += 1;
    double chi = 0;
    for (int64_t k = 0; k < 6; ++k) {
      const double expected = sampler.probability(k) * draws, found = counts[static_cast<size_t>(k)];
      if (expected == 0) {
        CHECK(found == 0);
      } else {
        chi += (found - expected) * (found - expected) / expected;
      }
    }
    CHECK(chi < 20.5);  // p > 0.001 at 5 degrees of freedom (4 in the weighted case: stricter)
    CHECK(chi > 0.02);  // a fit that is too good is wrong, too
  }
}

TEST_CASE("width sampler: a function of seed and step; bad weights are refused") {
  const WidthSampler a(5, 4, {1, 2, 3, 4}), b(5, 4, {10, 20, 30, 40}), c(6, 4, {1, 2, 3, 4});
  int same = 0;
  for (int64_t step = 999; step >= 0; --step) {
    CHECK(a.draw(step) == b.draw(step));
    same += a.draw(step) == c.draw(step);
  }
  CHECK(same < 500);  // another seed, other widths
  CHECK_THROWS_WITH_AS(WidthSampler(0, 3, {1, 2}), "--weights: 2 given for 3 widths; give one weight a width of --heads",
                       Error);
  CHECK_THROWS_WITH_AS(WidthSampler(0, 2, {0, 0}), "--weights: the sum is 0; at least one must be positive", Error);
  CHECK_THROWS_WITH_AS(WidthSampler(0, 2, {1, -1}), "--weights: -1 is not a weight; give numbers from 0 up", Error);
  CHECK_THROWS_AS(WidthSampler(0, 2, {1, NAN}), Error);
  CHECK_THROWS_AS(WidthSampler(0, 2, {1e308, 1e308}), Error);
}

TEST_CASE("lists of heads and weights") {
  CHECK(parse_heads("--heads", "3-5,8") == std::vector<int64_t>{3, 4, 5, 8});
  CHECK(parse_heads("--heads", "8,3") == std::vector<int64_t>{3, 8});
  for (const char* bad : {"", "x", "3-", "-3", "5-3", "3,,4", "3,3", "0", "3-99999999999", "3.5"}) {
    CHECK_THROWS_AS(parse_heads("--heads", bad), Error);
  }
  CHECK_THROWS_WITH(parse_heads("--heads", "3;4"), "--heads: '3;4' is no list of heads; write 3-8, 3,5,8 or all");
  CHECK(parse_weights("--weights", "1,2.5") == std::vector<double>{1, 2.5});
  CHECK_THROWS_WITH(parse_weights("--weights", "1,a"), "--weights: '1,a' is no list of numbers; write 1,1,2.5");
}

TEST_CASE("options: every one reads back what it writes, and refuses what is wrong") {
  TrainOptions options, other;
  const Fields fields = train_fields(options), copy = train_fields(other);
  options.lr = 0.1 + 0.2;
  options.seed = 9000000000000000;
  options.shuffle = false;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].get().empty()) copy[i].set(fields[i].get());
    CHECK(copy[i].get() == fields[i].get());
    CHECK_FALSE(fields[i].help.empty());
  }
  CHECK(other.lr == options.lr);
  const auto error_of = [&](const std::string& name, const std::string& text) -> std::string {
    try {
      find_field(fields, name)->set(text);
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::usage);
      return error.what();
    }
    return "";
  };
  CHECK(error_of("lr", "abc") == "--lr: 'abc' is no number; give 0 to 1000000000");
  CHECK(error_of("lr", "nan") == "--lr: nan is out of range; give 0 to 1000000000");
  CHECK(error_of("lr", "-1") == "--lr: -1 is out of range; give 0 to 1000000000");
  CHECK(error_of("seed", "9000000000000001") == "--seed: 9000000000000001 is out of range; give 0 to 9000000000000000");
  CHECK(error_of("seed", "99999999999999999999") == "--seed: 99999999999999999999 is out of range; give 0 to 9000000000000000");
  CHECK(error_of("steps", "-") == "--steps: '-' is no whole number; give 0 to 1000000000");
  CHECK(error_of("mixup", "101") == "--mixup: 101 is out of range; give -1 to 100");
  CHECK(error_of("out", std::string(4097, 'x')) == "--out: a text of 4097 bytes; give at most 4096");
  CHECK(error_of("batch-size", "1.5") == "--batch-size: '1.5' is no whole number; give 1 to 65536");
  CHECK(error_of("batch-size", "0") == "--batch-size: 0 is out of range; give 1 to 65536");
  CHECK(error_of("shuffle", "yes") == "--shuffle: 'yes' is neither on nor off");
  CHECK(error_of("schedule", "cosin") == "--schedule: 'cosin' is unknown; choose cosine or constant; did you mean cosine?");
  CHECK(error_of("preset", "ciphar").find("did you mean cifar?") != std::string::npos);
  TrainOptions both;
  both.epochs = both.steps = 1;
  CHECK_THROWS_WITH(check_options(both), "--epochs 1 and --steps 1: give one of the two");
}

TEST_CASE("options: units that are larger than the run are told of") {
  TrainOptions o;
  o.epochs = 1;
  o.grad_accum = 32;
  CHECK(notices(o, 8, 1) ==
        std::vector<std::string>{"NOTICE: --grad-accum 32: one step takes more passes than the 8 of --epochs "
                                 "1; the run is 1 step of 4 epochs"});
  o.grad_accum = 8;
  CHECK(notices(o, 8, 1).empty());
  o.epochs = 0;
  o.steps = 10;
  o.grad_accum = 1;
  CHECK(notices(o, 8, 10).empty());
  o.warmup_steps = o.save_every = o.eval_every = 10;
  CHECK(notices(o, 8, 10).size() == 1);  // of --eval-every 10 in a run of 1.25 epochs
  o.warmup_steps = o.save_every = 11;
  const std::vector<std::string> told = notices(o, 8, 10);
  REQUIRE(told.size() == 3);
  CHECK(told[0] == "NOTICE: --warmup-steps 11: more than the 10 steps of the run; the learning rate does not reach --lr 0.001");
  CHECK(told[1].find("--save-every 11: more than the 10 steps of the run") != std::string::npos);
  CHECK(told[2].find("--eval-every 10: more than the 1.25 epochs of the run") != std::string::npos);
  CHECK(notices(o, 8, 0).empty());  // the clock alone: no number of steps is known
}

TEST_CASE("trainer: with --steps the step decides the learning rate, and --minutes only ends the run") {
  const trainer_fixtures::Threads threads;
  struct Rates : Listener {
    void step(const StepEvent& event) override { rates.push_back(event.at.lr); }
    void warn(const std::string& text) override { warnings.push_back(text); }
    std::vector<double> rates;
    std::vector<std::string> warnings;
  };
  TrainOptions options = trainer_fixtures::tiny_options();
  options.steps = 100000;
  options.minutes = 0.2 / 60;
  options.save_every = 200000;
  trainer_fixtures::Run run(options);
  Rates seen;
  CHECK(run.trainer.Trainer::run(seen) == Ending::finished);
  REQUIRE(!seen.rates.empty());
  CHECK(seen.rates.size() < 100000);
  CHECK(seen.warnings.size() == 1);
  const Schedule schedule{"cosine", options.lr, 0, 5000, 100000};
  for (size_t step = 0; step < seen.rates.size(); ++step) REQUIRE(seen.rates[step] == schedule.at(static_cast<double>(step)));
}

namespace {

struct Toy : nn::Module {
  Toy() {
    Stream stream(7, Purpose::test);
    weight = add_parameter("weight", Tensor::normal({70, 500}, 0, 1, stream), {true, true}).value;  // more than one chunk
    bias = add_parameter("bias", Tensor::normal({70}, 0, 1, stream), {true}, false).value;
    cube = add_parameter("cube", Tensor::normal({1, 6, 8}, 0, 1, stream), {false, false, true}).value;
  }
  void set_gradients(uint64_t step) const {
    Stream stream(8, Purpose::test, step);
    for (const nn::Parameter& p : parameters()) {
      // d(sum(p * r))/dp = r
      sum(p.value * Tensor::normal(p.value.shape(), 0, 1, stream)).backward();
    }
  }
  Tensor weight, bias, cube;
};

}  // namespace

TEST_CASE("AdamW and SGD: equal to their formulas, decay only where it belongs, with average and scale") {
  for (const std::string kind : {"adamw", "sgd"}) {
    const Toy toy;
    OptimizerConfig config;
    config.kind = kind;
    const auto optimizer = make_optimizer(toy.parameters(), config);
    const Ema ema(toy, 0.9);
    const double lr = 0.01, scale = 0.5, keep = 0.9;
    std::vector<std::vector<double>> w, m, v, average;
    for (const nn::Parameter& p : toy.parameters()) {
      w.push_back(p.value.to_vector());
      average.push_back(w.back());
      m.emplace_back(w.back().size());
      v.emplace_back(w.back().size());
    }
    for (int t = 1; t <= 5; ++t) {
      toy.set_gradients(static_cast<uint64_t>(t));
      const std::vector<nn::Parameter> parameters = toy.parameters();
      double squares = 0;
      for (size_t i = 0; i < parameters.size(); ++i) {
        const std::vector<double> gradient = parameters[i].value.grad().to_vector();
        const double decay = parameters[i].decay ? config.weight_decay : 0;
        for (size_t j = 0; j < gradient.size(); ++j) {
          squares += gradient[j] * gradient[j];
          const double g = scale * gradient[j];
          if (kind == "adamw") {
            m[i][j] = 0.9 * m[i][j] + 0.1 * g;
            v[i][j] = 0.999 * v[i][j] + 0.001 * g * g;
            const double step = m[i][j] / (1 - std::pow(0.9, t)) / (std::sqrt(v[i][j] / (1 - std::pow(0.999, t))) + 1e-8);
            w[i][j] -= lr * (step + decay * w[i][j]);
          } else {
            m[i][j] = 0.9 * m[i][j] + g + decay * w[i][j];
            w[i][j] -= lr * m[i][j];
          }
          average[i][j] = keep * average[i][j] + (1 - keep) * w[i][j];
        }
      }
      CHECK(optimizer->gradient_norm() == doctest::Approx(std::sqrt(squares)).epsilon(1e-6));
      optimizer->step(lr, scale, ema.values(), keep);
      for (size_t i = 0; i < parameters.size(); ++i) {
        const std::vector<double> found = parameters[i].value.to_vector(), mean = ema.values()[i].to_vector();
        for (size_t j = 0; j < found.size(); ++j) {
          REQUIRE(std::abs(found[j] - w[i][j]) < 1e-5);
          REQUIRE(std::abs(mean[j] - average[i][j]) < 1e-5);
        }
      }
      CHECK(optimizer->gradient_norm() == 0);  // gradients are cleared
    }
  }
}

TEST_CASE("AdamW: a constant gradient moves each weight by the learning rate, from the first step on") {
  struct One : nn::Module {
    Tensor w = add_parameter("w", Tensor::zeros({1}), {}, false).value;
  } const one;
  for (const double beta2 : {0.999, 0.9999, 0.95}) {
    OptimizerConfig config;
    config.beta2 = beta2;
    const auto optimizer = make_optimizer(one.parameters(), config);
    for (int t = 1; t <= 100; ++t) {
      one.w.detach().fill_(0);
      sum(one.w * 2.0).backward();
      optimizer->step(1, 1);
      REQUIRE(std::abs(static_cast<double>(one.w.item()) + 1) < 2e-6);
      if (t == 1) CHECK(std::abs(static_cast<double>(one.w.item()) + 1) < 2e-7);
    }
  }
}

TEST_CASE("optimiser: with live parts given, nothing else changes; the average follows everywhere") {
  const Toy toy;
  const auto optimizer = make_optimizer(toy.parameters(), {});
  const Ema ema(toy, 0.5);
  toy.set_gradients(1);
  const std::vector<nn::Parameter> parameters = toy.parameters();
  std::vector<std::vector<double>> before;
  for (const nn::Parameter& p : parameters) before.push_back(p.value.to_vector());
  for (const Tensor& average : ema.values()) average.fill_(0);
  const std::vector<Tensor> live = {toy.weight(Range{0, 30}, Range{0, 200}), toy.bias.slice(0, 0, 30), toy.cube.slice(2, 0, 3)};
  optimizer->step(0.1, 1, ema.values(), 0.5, {live});
  const auto is_live = [](size_t parameter, size_t j) {
    return parameter == 0 ? j / 500 < 30 && j % 500 < 200 : parameter == 1 ? j < 30 : j % 8 < 3;
  };
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::vector<double> after = parameters[i].value.to_vector(), average = ema.values()[i].to_vector();
    const std::vector<double> moment = optimizer->states()[0].values[i].to_vector();
    for (size_t j = 0; j < after.size(); ++j) {
      REQUIRE((after[j] != before[i][j]) == is_live(i, j));
      REQUIRE((moment[j] != 0) == is_live(i, j));
      REQUIRE(average[j] == doctest::Approx(0.5 * after[j]));
    }
  }
}

TEST_CASE("optimiser: a weight that no pass has reached yet decays as any other, so a resumed run has the same bits") {
  struct Two : nn::Module {
    Tensor w = add_parameter("w", Tensor::ones({2}), {true}).value,
           unused = add_parameter("unused", Tensor::ones({2}), {true}).value;
  } const two;
  const std::vector<Tensor> average = {two.w.detach().clone(), two.unused.detach().clone()};
  OptimizerConfig config;
  config.weight_decay = 0.5;
  sum(two.w).backward();
  make_optimizer(two.parameters(), config)->step(0.1, 1, average, 0.5);
  CHECK(two.unused.to_vector()[1] == doctest::Approx(0.95));
  CHECK(average[1].to_vector()[1] == doctest::Approx(0.975));
}

TEST_CASE("optimiser: the same bits on 1, 2, 3 and 4 threads") {
  std::vector<double> expected;
  const int threads = num_threads();
  for (const int n : {1, 2, 3, 4}) {
    set_num_threads(n);
    const Toy toy;
    const auto optimizer = make_optimizer(toy.parameters(), {});
    toy.set_gradients(1);
    const double norm = optimizer->gradient_norm();
    optimizer->step(0.1, 1 / norm);
    std::vector<double> found = toy.weight.to_vector();
    found.push_back(norm);
    if (n == 1) expected = found;
    CHECK(found == expected);
  }
  set_num_threads(threads);
}

TEST_CASE("average of the weights: swapping twice is as before") {
  const Toy toy;
  const Ema ema(toy, 0.9);
  ema.values()[0].fill_(2);
  const std::vector<double> before = toy.weight.to_vector();
  {
    const WithEma lent(ema);
    CHECK(toy.weight.to_vector()[5] == 2);
  }
  CHECK(toy.weight.to_vector() == before);
  CHECK(ema.decay(0) == doctest::Approx(0.1));
  CHECK(ema.decay(1000000) == doctest::Approx(0.9));
  CHECK_FALSE(Ema(toy, 0).on());
}
