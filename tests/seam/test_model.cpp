// A new model is one file and one row: a stack of layers that can be cut after the first, so its axis is a depth and no width.
#include "models/config_reader.h"
#include "nn/layers.h"
#include "tests/seam/seam.h"

using namespace hv;
using namespace hv::models;

namespace {

const std::vector<Subnet> depths = {{"depth1", "depth=1", 0, {{"depth", 1}}}, {"depth2", "depth=2", 1, {{"depth", 2}}}};

struct Stack : ElasticModel {
  Stack(int64_t classes, uint64_t seed)
      : count(classes), init("reference", seed), fc1(3072, 16, init), fc2(16, 16, init), head(16, classes, init) {
    add_child("fc1", fc1);
    add_child("fc2", fc2);
    add_child("head", head);
  }
  const std::vector<Subnet>& subnets() const override { return depths; }
  Tensor forward(const Tensor& images, const Subnet& subnet) override {
    const Tensor x = relu(fc1(images.reshape({images.size(0), -1})));
    return subnet.id == 1 ? head(relu(fc2(x))) : head(x);
  }
  std::vector<Tensor> active(const Subnet& subnet) const override {
    std::vector<Tensor> parts;
    for (const nn::Parameter& p : parameters()) parts.push_back(subnet.id == 0 && p.name[2] == '2' ? Tensor() : p.value);
    return parts;
  }
  int64_t params(const Subnet& s) const override { return 16 * (3073 + 17 * s.id) + 17 * count; }
  int64_t macs(const Subnet& s) const override { return 16 * (3072 + 16 * s.id) + 16 * count; }
  std::unique_ptr<ElasticModel> extract(const Subnet&) const override { return nullptr; }
  Config config() const override { return {{"model", "stack"}, {"image", "32"}, {"classes", std::to_string(count)}}; }
  int64_t classes() const override { return count; }
  int64_t image_size() const override { return 32; }
  int64_t count;
  nn::Init init;
  nn::Linear fc1, fc2, head;
};

const struct Rows {
  static std::unique_ptr<Stack> make(const Config& config, uint64_t seed) {
    return std::make_unique<Stack>(ConfigReader(config, "stack").whole("classes", 1, 1000), seed);
  }
  static std::vector<Cost> costs(const Config& config) {
    const auto stack = make(config, 0);
    return {{depths[0], stack->params(depths[0]), stack->macs(depths[0]), 0},
            {depths[1], stack->params(depths[1]), stack->macs(depths[1]), 0}};
  }
  Rows() { kinds().push_back({"stack", {{"stack", {{"model", "stack"}, {"image", "32"}, {"classes", "10"}}}}, costs, make}); }
} rows;

}  // namespace

TEST_CASE("seam: a model whose axis is its depth trains, resumes, evaluates, reports") {
  const std::string text = seam::train_resume_evaluate_report("--preset stack --weights 1,3 --active-only");
  CHECK(seam::has(text, "depth       params           MACs   top-1"));
  CHECK(seam::has(text, "top1_depth1,top1_depth2,loss_depth1,loss_depth2"));
}
