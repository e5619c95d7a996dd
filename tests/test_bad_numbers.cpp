// Numbers that training must not accept silently: huge learning rates, images without contrast, labels out of range.
#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "nn/losses.h"
#include "tests/error_of.h"
#include "tests/trainer_fixtures.h"

using namespace hv;
using namespace hv::train;
using namespace hv::trainer_fixtures;
using hv::test::error_of;

namespace {

// Images of one colour, with the given labels.
class Plain : public data::Dataset {
 public:
  Plain(uint8_t colour, int64_t last_label) : colour_(colour), last_label_(last_label) {
    name_ = "plain";
    class_names_ = data::shapes10_classes();
    height_ = width_ = 32;
  }
  int64_t size() const override { return 40; }
  int64_t label(int64_t i) const override { return i == size() - 1 ? last_label_ : i % classes(); }
  void image(int64_t, uint8_t* chw) const override { std::fill(chw, chw + image_bytes(), colour_); }
  std::string checksum() const override { return "0"; }

 private:
  uint8_t colour_;
  int64_t last_label_;
};

bool all_finite(const std::vector<NamedTensor>& tensors) {
  for (const NamedTensor& tensor : tensors) {
    for (const double value : tensor.value.to_vector()) {
      if (!std::isfinite(value)) return false;
    }
  }
  return true;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("bad numbers: a learning rate of 1e6 or more ends with the name of a tensor, or trains on; what is saved is finite") {
  const Threads threads;
  for (const std::string optimizer : {"adamw", "sgd"}) {
    for (const std::string lr : {"1e6", "1e9"}) {  // the largest value of the option
      TrainOptions options = tiny_options();
      const Fields fields = train_fields(options);
      for (const auto& [name, value] : std::map<std::string, std::string>{{"optimizer", optimizer},
                                                                          {"lr", lr},
                                                                          {"warmup-steps", "0"},
                                                                          {"clip-grad", "0"},
                                                                          {"steps", "12"},
                                                                          {"save-every", "1"}}) {
        find_field(fields, name)->set(value);
      }
      const Folder folder;
      Run run(options, folder.path());
      int fault = 0;
      std::string text;
      try {
        run.trainer.run();
      } catch (const Error& error) {
        fault = static_cast<int>(error.fault());
        text = error.what();
      }
      CAPTURE(optimizer + " " + lr + ": " + text);
      if (fault == 0) {
        CHECK(all_finite(run.trainer.tensors()));
      } else {
        CHECK(fault == 4);
        bool named = false;
        for (const nn::Parameter& p : run.model->parameters()) named |= contains(text, p.name);
        CHECK(named);
        CHECK(contains(text, "the last good checkpoint is " + (folder / "last.ckpt")));
      }
      const Checkpoint kept = load_checkpoint(folder / "last.ckpt");
      CHECK(all_finite(kept.tensors));
      CHECK(kept.header.counters.at("step") == run.trainer.step());
    }
  }
}

TEST_CASE("bad numbers: images of one colour train: normalisation of rows without variance stays finite") {
  const Threads threads;
  for (const int colour : {0, 255}) {
    CAPTURE(colour);
    const Plain images(static_cast<uint8_t>(colour), 9);
    const auto model = models::make_model(tiny_model(), 5);
    TrainOptions options = tiny_options();
    options.augment = "none";
    options.steps = 20;
    std::vector<double> losses;
    const auto on_step = [&](int64_t, double loss) { losses.push_back(loss); };
    LoggedTrainer trainer({*model, model->subnets(), images, &images, options, "", {}, on_step},
                          make_recipe(options, *model, model->subnets()));
    CHECK(trainer.run() == Ending::finished);
    REQUIRE(losses.size() == 20);
    for (const double loss : losses) CHECK((loss > 2 && loss < 3));  // the classes cannot be told apart: log 10 = 2.3
    CHECK(all_finite(trainer.tensors()));
    for (const Result& result : trainer.results()) CHECK(result.metric("top1") == 10);  // one class for all
  }
  // Exact values: a constant row has no variance, so LayerNorm returns its bias, and the gradient of its input is 0.
  const Tensor x = Tensor::full({2, 8}, 3).requires_grad_(), gain = Tensor::full({8}, 2).requires_grad_(),
               shift = Tensor::full({8}, 0.5);
  const Tensor y = layer_norm(x, gain, shift);
  CHECK(y.to_vector() == std::vector<double>(16, 0.5));
  sum(y * y).backward();
  CHECK(x.grad().to_vector() == std::vector<double>(16, 0));
}

TEST_CASE("bad numbers: a label of no class is an error that names it and the range, in the loader and in the loss") {
  const Threads threads;
  for (const int64_t label : {int64_t{10}, int64_t{-1}, int64_t{1} << 40}) {
    CAPTURE(label);
    const Plain images(7, label);
    const auto model = models::make_model(tiny_model(), 5);
    TrainOptions options = tiny_options();
    options.steps = 1;
    options.batch_size = 40;  // all of them
    const auto train = [&] {
      LoggedTrainer trainer({*model, model->subnets(), images, nullptr, options},
                            make_recipe(options, *model, model->subnets()));
      trainer.run();
    };
    CHECK(error_of(train) == concat("plain: label of image 39: expected 0 to 9, found ", label, "; check the data set"));
    const auto evaluate_all = [&] { evaluate(*model, model->subnets(), images, {}); };
    CHECK(contains(error_of(evaluate_all), "plain: label of image 39: expected 0 to 9"));

    const Tensor logits = Tensor::zeros({2, 10}).requires_grad_();
    const std::vector<int64_t> labels = {3, label};
    CHECK(error_of([&] { nn::CrossEntropy{0.1}(logits, labels); }) ==
          concat("cross_entropy: label out of range: ", label, " of 10 classes"));
    CHECK(error_of([&] { nn::CrossEntropy{0.1}(logits, std::vector<int64_t>{3}); }) ==
          "cross_entropy: 1 labels for logits [2, 10]");
  }
}
