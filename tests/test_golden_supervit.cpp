// SuperViT's numbers that need no model: images at its three smaller sizes, and which tokens are left after three choices.
#include "core/ops.h"
#include "tests/golden.h"

using namespace hv;
using namespace hv::test;

TEST_CASE("golden supervit: images are resized with aligned corners, as the authors do") {
  if (!have_golden("supervit/forward")) return;
  const Golden forward("supervit/forward");
  const Tensor image = forward["images"].slice(0, 0, 1);
  for (const int64_t size : {16, 24, 28}) {
    const Tensor& expected = forward[concat("resized.", size)];
    CHECK(relative(resize_bilinear(image, size, size, true), expected) < 1e-6);
    CHECK(relative(resize_bilinear(image, size, size, false), expected) > 1e-2);  // the other convention is not close
  }
}

TEST_CASE("golden supervit: tokens gathered three times are those that the authors keep") {
  if (!have_golden("supervit/forward")) return;
  const Golden forward("supervit/forward");
  for (const auto& [size, rate] : {std::pair{16, "0.5"}, {16, "0.7"}, {24, "0.5"}, {28, "0.7"}, {32, "0.5"}, {32, "0.7"}}) {
    const int64_t batch = 4, tokens = size / 4 * (size / 4) + 1;
    Tensor places = Tensor::arange(tokens).view({1, tokens, 1}).expand({batch, tokens, 1});  // where each token began
    for (const int block : {3, 6, 9}) {
      const std::string name = concat(".", size, ".", rate, ".block", block);
      const std::vector<int64_t>&kept = forward.labels.at("kept" + name), &expected = forward.labels.at("kept_patch" + name);
      places = gather_tokens(places, kept, static_cast<int64_t>(kept.size()) / batch);
      CHECK_MESSAGE(places.to_vector() == std::vector<double>(expected.begin(), expected.end()), name);
    }
  }
}
