// Losses of several labels per picture against PyTorch's, and the weights that balance rare labels.
#include <doctest/doctest.h>

#include "nn/balance.h"
#include "nn/losses.h"
#include "tests/error_of.h"
#include "tests/label_numbers.h"

namespace hv::test {

TEST_CASE("binary cross-entropy and focal loss are PyTorch's, values and gradients, to 1e-6") {
  const LabelNumbers numbers;
  const auto tensor = [&](const std::string& name, const Shape& shape) {
    return Tensor::from(numbers.list("loss_" + name), shape);
  };
  const Tensor targets = tensor("targets", {6, 4}), a = tensor("positive", {4}), b = tensor("negative", {4});
  const LabelWeights alpha{Tensor::scalar(0.25), Tensor::scalar(0.75)};
  const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> losses = {
      {"bce", [&](const Tensor& x) { return nn::BinaryCrossEntropy{}(x, targets); }},
      {"bce", [&](const Tensor& x) { return bce_with_logits(x, targets, {}); }},
      {"bce_positive",
       [&](const Tensor& x) {
         return nn::BinaryCrossEntropy{{a, {}}}(x, targets);
       }},
      {"bce_weights",
       [&](const Tensor& x) {
         return nn::BinaryCrossEntropy{{a, b}}(x, targets);
       }},
      {"focal", [&](const Tensor& x) { return nn::Focal{}(x, targets); }},
      {"focal_alpha",
       [&](const Tensor& x) {
         return nn::Focal{2, alpha}(x, targets);
       }},
      {"focal_half", [&](const Tensor& x) { return nn::Focal{0.5}(x, targets); }},
  };
  for (const auto& row : losses) {
    const std::string& name = row.first;
    const Tensor x = tensor("logits", {6, 4}).requires_grad_();
    const Tensor value = row.second(x);
    value.backward();
    CHECK_MESSAGE(apart({static_cast<double>(value.item())}, {numbers[name]}) < 1e-6, name);
    CHECK_MESSAGE(apart(x.grad().to_vector(), numbers.list(name + "_gradient")) < 1e-6, name);
  }
}

TEST_CASE("losses per label stay finite and right at logits that no probability can show") {
  const Tensor x = Tensor::from({1000, -1000, 1000, -1000}, {4}).requires_grad_();
  const Tensor targets = Tensor::from({1, 0, 0, 1}, {4});
  for (const double gamma : {0.0, 0.5, 2.0}) {
    x.zero_grad();
    const Tensor loss = focal_loss(x, targets, gamma);
    loss.backward();
    CHECK(loss.item() == 500);
    CHECK(x.grad().to_vector() == std::vector<double>{0, 0, 0.25, -0.25});
  }
}

TEST_CASE("weights of labels: inverse frequency, effective numbers, their limits, and labels that all or none have") {
  const std::vector<int64_t> positives = {13, 1250, 2400, 0, 2500};
  const auto weights = [&](const std::string& kind, double beta) {
    const LabelWeights w = nn::balance_weights(kind, positives, 2500, beta);
    return std::pair(w.positive.to_vector(), w.negative.to_vector());
  };
  const auto number = [](double m) { return (1 - std::pow(0.999, m)) / 0.001; };  // Cui et al., proposition 1
  const auto inverse = weights("inverse", 0.999), effective = weights("effective", 0.999);
  CHECK(apart(inverse.first, {2500 / 26.0, 1, 2500 / 4800.0, 1, 1}) < 1e-6);
  CHECK(apart(inverse.second, {2500 / (2 * 2487.0), 1, 12.5, 1, 1}) < 1e-6);
  CHECK(effective.first[0] / effective.second[0] == doctest::Approx(number(2487) / number(13)));
  CHECK(apart(weights("effective", 1 - 1e-9).first, inverse.first) < 1e-5);
  CHECK(weights("effective", 0) == weights("none", 0.999));
  for (size_t k = 0; k < positives.size(); ++k) {
    const double n1 = static_cast<double>(positives[k]), n0 = 2500 - n1;
    CHECK((n1 * effective.first[k] + n0 * effective.second[k]) / 2500 == doctest::Approx(1));
  }
  CHECK(error_of([] { nn::balance_weights("square", std::vector<int64_t>{1}, 2); }) ==
        "balance: 'square': expected none, inverse or effective");
  CHECK(error_of([] { nn::balance_weights("none", std::vector<int64_t>{3}, 2); }) == "balance: 3 pictures with a label, of 2");
}

}  // namespace hv::test
