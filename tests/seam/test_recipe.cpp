// A new recipe is one file and one row: four passes per step, of which three learn from what the first one said.
#include "core/autograd.h"
#include "tests/seam/seam.h"

using namespace hv;
using namespace hv::train;

namespace {

int64_t most_nodes = 0;  // alive when a pass begins: graphs of earlier passes

struct FourPasses : Recipe {
  FourPasses(models::ElasticModel& m, std::vector<models::Subnet> s, int64_t seed, double own_share)
      : model(m), subnets(std::move(s)), sampler(static_cast<uint64_t>(seed), std::ssize(subnets)), labels(own_share) {}
  std::vector<models::Subnet> trains(int64_t step) const override {
    const size_t last = subnets.size() - 1, drawn = 1 + static_cast<size_t>(sampler.draw(step)) % (last - 2);
    return {subnets[last], subnets[drawn], subnets[drawn + 1], subnets[0]};
  }
  double share(const models::Subnet&) const override { return 1; }
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override {
    Tensor teacher;  // what the widest says, without history
    for (const models::Subnet& subnet : trains(step)) {
      most_nodes = std::max(most_nodes, live_nodes());
      const Tensor logits = model.forward(batch.images, subnet);
      const Tensor wanted = teacher.defined() ? batch.targets * labels + teacher * (1 - labels) : batch.targets;
      learn(subnet, cross_entropy(logits, wanted));
      if (!teacher.defined()) teacher = softmax(logits.detach());
    }
  }
  models::ElasticModel& model;
  std::vector<models::Subnet> subnets;
  WidthSampler sampler;
  double labels;
};

struct Options {
  double labels = 0.5;
};
const struct Rows {
  Rows() {
    const auto options = [](TrainOptions& o) {
      return Fields{{"labels", &o.own<Options>().labels, "weight of the labels", 0, 1}};
    };
    recipe_kinds().push_back({"four", options, [](auto& model, auto& subnets, const TrainOptions& o) {
                                return std::make_unique<FourPasses>(model, subnets, o.seed, o.own<Options>().labels);
                              }});
  }
} rows;

}  // namespace

TEST_CASE("seam: a recipe of four passes with a teacher trains, resumes, evaluates, reports, one graph at a time") {
  const std::string text = seam::train_resume_evaluate_report("--preset nano --recipe four --labels 0.3 --log-interval 1");
  CHECK(seam::has(text, "--labels 0.3"));  // in the command that repeats it
  CHECK(seam::has(text, "top1_heads6,loss_heads2"));
  CHECK(most_nodes == 0);
}
