// Targets and results are data: pictures with two labels each, a loss that suits them, and a score of their own.
#include "data/open.h"
#include "tests/seam/seam.h"
#include "train/recipes/hydravit.h"

namespace hv::train {

struct TwoLabels : data::Dataset {  // has the shape an even number, and is it one of the first five?
  explicit TwoLabels(const data::DatasetPtr& shapes) : of(shapes) {
    name_ = "twolabels";
    class_names_ = {"even", "low"};
    height_ = width_ = 32;
  }
  int64_t size() const override { return of->size(); }
  int64_t label(int64_t) const override { return -1; }
  void target(int64_t i, Real* row) const override {
    row[0] = of->label(i) % 2 == 0;
    row[1] = of->label(i) < 5;
  }
  std::string scorer() const override { return "twolabels"; }
  void image(int64_t i, uint8_t* chw) const override { of->image(i, chw); }
  std::string checksum() const override { return of->checksum(); }
  data::DatasetPtr of;
};

struct Share : Scorer {  // of yes-or-no answers that are right
  void add(const Tensor& logits, const data::Batch& batch) override {
    for (int64_t i = 0; i < logits.numel(); ++i) right += (logits.data()[i] > 0) == (batch.targets.data()[i] > 0.5);
    all += static_cast<double>(logits.numel());
  }
  std::vector<Metric> metrics() const override { return {{"right", "right", right / all, 4}}; }
  double right = 0, all = 0;
};

struct YesOrNo : HydraViTRecipe {
  using HydraViTRecipe::HydraViTRecipe;
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override {
    learn(drawn(step), bce_with_logits(model_.forward(batch.images, drawn(step)), batch.targets));
  }
};

const struct Rows {
  Rows() {
    data::data_kinds().push_back({"twolabels", [](const data::Source& source, data::Split split) {
                                    return std::make_shared<TwoLabels>(data::open({source.data, "cifar10"}, split));
                                  }});
    scorer_kinds().push_back({"twolabels", [](auto&, auto&) { return std::make_unique<Share>(); }});
    recipe_kinds().push_back({"yes-or-no", [](TrainOptions&) { return Fields{}; },
                              [](auto& model, auto& subnets, auto&) {
                                return std::make_unique<YesOrNo>(model, subnets, WidthSampler(0, std::ssize(subnets)), 0);
                              }});
  }
} rows;

TEST_CASE("seam: pictures with two labels train, resume, are scored, reported") {
  const std::string text = seam::train_resume_evaluate_report("--preset nano --kind twolabels --recipe yes-or-no");
  CHECK((seam::has(text, "right_heads5,right_heads6,ema_right_heads2") && seam::has(text, ">Test image 5: ")));
}

}  // namespace hv::train
