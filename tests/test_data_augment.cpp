// Augmentation: every operation against PIL's results, a closed form or a naive twin; draws repeat, with the right statistics.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/augment.h"
#include "data/checksum.h"
#include "data/randaugment.h"
#include "data/shapes10.h"
#include "tests/data_fixtures.h"
#include "tests/worse.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

namespace {

constexpr Fill kFill = {125, 123, 114};

std::vector<uint8_t> test_picture() {
  std::vector<uint8_t> image(3072);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x)
        image[static_cast<size_t>(c * 1024 + y * 32 + x)] =
            static_cast<uint8_t>(40 + (7 * x + 5 * y + 31 * c + x * y * (c + 2) / 8) % 150);
  return image;
}

std::vector<uint8_t> apply(RandOp op, double value, const std::vector<uint8_t>& in) {
  std::vector<uint8_t> out(in.size());
  apply_rand_op(op, value, in.data(), out.data(), 32, 32, kFill);
  return out;
}

}  // namespace

TEST_CASE("the 14 operations give PIL 9.4's bytes") {
  // XXH64 of what Pillow makes of test_picture(): ImageOps, ImageEnhance and bilinear Image.transform / rotate with fill kFill.
  const struct {
    RandOp op;
    double value;
    const char* hash;
  } cases[] = {
      {RandOp::identity, 0, "6d757a0c6c77d9f2"},      {RandOp::auto_contrast, 0, "113e0ddca4065e4e"},
      {RandOp::equalize, 0, "e524a2f381dd17a5"},      {RandOp::rotate, 20, "aec0b552d70beea2"},
      {RandOp::solarize, 100, "703a557009a1a583"},    {RandOp::color, 1.7, "a2764b45abbfdc26"},
      {RandOp::posterize, 3, "a2fe267b350271a9"},     {RandOp::contrast, 0.4, "2f30be71f023d140"},
      {RandOp::brightness, 1.6, "170bf29014396b5a"},  {RandOp::sharpness, 1.8, "ce319103b0b19e03"},
      {RandOp::shear_x, 0.2, "3f73083933762795"},     {RandOp::shear_y, -0.25, "f81876119ee2869c"},
      {RandOp::translate_x, 0.1, "8936b77b18f3f379"}, {RandOp::translate_y, -0.3, "cdb7979f2e9dacd6"},
  };
  for (const auto& c : cases) {
    INFO(rand_op_name(c.op));
    CHECK(hex64(xxh64(apply(c.op, c.value, test_picture()))) == c.hash);
  }
}

TEST_CASE("operations: identities and edges") {
  const std::vector<uint8_t> picture = test_picture();
  for (const RandOp op :
       {RandOp::identity, RandOp::rotate, RandOp::shear_x, RandOp::shear_y, RandOp::translate_x, RandOp::translate_y})
    CHECK(apply(op, 0, picture) == picture);
  for (const RandOp op : {RandOp::color, RandOp::contrast, RandOp::brightness, RandOp::sharpness})
    CHECK(apply(op, 1, picture) == picture);
  CHECK(apply(RandOp::posterize, 8, picture) == picture);
  CHECK(apply(RandOp::posterize, 0, picture) == std::vector<uint8_t>(3072, 0));
  CHECK(apply(RandOp::solarize, 256, picture) == picture);
  CHECK(apply(RandOp::solarize, 0, apply(RandOp::solarize, 0, picture)) == picture);  // inverting twice
  const std::vector<uint8_t> flat(3072, 77);
  for (const RandOp op : {RandOp::auto_contrast, RandOp::equalize, RandOp::color, RandOp::sharpness})
    CHECK(apply(op, 1.5, flat) == flat);
  // A quarter turn counter-clockwise: out(y, x) = in(x, 31 - y).
  const std::vector<uint8_t> turned = apply(RandOp::rotate, 90, picture);
  int wrong = 0;
  for (size_t y = 1; y < 31; ++y)
    for (size_t x = 1; x < 31; ++x) wrong += std::abs(turned[y * 32 + x] - picture[x * 32 + 31 - y]) > 1;
  CHECK(wrong == 0);
  CHECK(apply(RandOp::translate_x, 2, picture)[2048] == kFill[2]);  // every pixel came from outside the image
}

TEST_CASE("RandAugment: magnitudes, repeatability, variety") {
  CHECK(rand_op_value(RandOp::rotate, 10, true) == doctest::Approx(-30));
  CHECK(rand_op_value(RandOp::shear_x, 9, false) == doctest::Approx(0.27));
  CHECK(rand_op_value(RandOp::translate_y, 10, false) == doctest::Approx(0.45));
  CHECK(rand_op_value(RandOp::color, 9, false) == doctest::Approx(1.81));
  CHECK(rand_op_value(RandOp::color, 10, true) == doctest::Approx(0.1));
  CHECK(rand_op_value(RandOp::posterize, 9, false) == 1);
  CHECK(rand_op_value(RandOp::posterize, 0, false) == 4);
  CHECK(rand_op_value(RandOp::solarize, 0, false) == 256);
  CHECK(rand_op_value(RandOp::solarize, 9, false) == 26);
  const auto run = [](uint64_t index, double prob) {
    std::vector<uint8_t> image = test_picture(), scratch(image.size());
    Stream stream(1, Purpose::rand_augment, 0, index);
    rand_augment(image, scratch, 32, 32, {2, 9, 0.5, prob}, kFill, stream);
    return image;
  };
  CHECK(run(3, 1.0) == run(3, 1.0));
  CHECK(run(3, 0.0) == test_picture());
  std::set<uint64_t> different;
  for (uint64_t i = 0; i < 50; ++i) different.insert(xxh64(run(i, 1.0)));
  CHECK(different.size() > 45);
}

TEST_CASE("crop and flip against the definition") {
  const std::vector<uint8_t> in = test_picture();
  std::vector<uint8_t> out(in.size());
  for (const bool flip : {false, true})
    for (const int dy : {-40, -4, 0, 3})
      for (const int dx : {-33, -3, 0, 4, 32}) {
        shift_flip(in.data(), out.data(), 32, 32, dy, dx, {7, 8, 9}, flip);
        int wrong = 0;
        for (int c = 0; c < 3; ++c)
          for (int y = 0; y < 32; ++y)
            for (int x = 0; x < 32; ++x) {
              const int sy = y + dy, sx = (flip ? 31 - x : x) + dx;
              const bool inside = sy >= 0 && sy < 32 && sx >= 0 && sx < 32;
              const int want = inside ? in[static_cast<size_t>(c * 1024 + sy * 32 + sx)] : 7 + c;
              wrong += out[static_cast<size_t>(c * 1024 + y * 32 + x)] != want;
            }
        CHECK(wrong == 0);
      }
}

TEST_CASE("crops and flips are spread evenly; an augmenter is a function of (seed, epoch, sample)") {
  // A picture with one bright pixel in the middle shows where the window was.
  class Dot : public Dataset {
   public:
    Dot() {
      class_names_ = {"dot"};
      height_ = width_ = 32;
      normalization_ = {{0, 0, 0}, {1, 1, 1}};
    }
    int64_t size() const override { return 100000; }
    int64_t label(int64_t) const override { return 0; }
    void image(int64_t, uint8_t* chw) const override {
      std::fill(chw, chw + 3072, uint8_t{0});
      chw[16 * 32 + 14] = 255;
    }
    std::string checksum() const override { return ""; }
  } dot;
  Augmenter augment(dot, augment_preset("basic"), 5);
  std::vector<Real> image(3072);
  std::array<int, 9> rows{}, columns{};
  int flips = 0;
  const int n = 9000;
  for (int i = 0; i < n; ++i) {
    augment.load(2, i, image.data());
    const auto at = static_cast<int>(std::max_element(image.begin(), image.end()) - image.begin());
    const int y = at / 32, x = at % 32;
    ++rows[static_cast<size_t>(y - 12)];
    // Unflipped the column is 10..18, flipped 13..21: only the columns that do not overlap show whether an image was flipped.
    flips += x > 18;
    columns[static_cast<size_t>(x <= 12 ? 0 : x >= 19 ? 1 : 2)]++;
  }
  for (const int count : rows) CHECK(std::abs(count - n / 9) < 5 * std::sqrt(n / 9.0));
  CHECK(std::abs(columns[0] - n / 6) < 5 * std::sqrt(n / 6.0));  // unflipped, three of nine columns
  CHECK(std::abs(flips - n / 6) < 5 * std::sqrt(n / 6.0));       // flipped, three of nine columns

  const DatasetPtr shapes = make_shapes10(Split::train, 20);
  Augmenter a(*shapes, augment_preset("full"), 7), b(*shapes, augment_preset("full"), 7);
  std::vector<Real> x(3072), y(3072), z(3072);
  for (int64_t i = 0; i < 20; ++i) a.load(1, i, x.data());
  a.load(1, 3, x.data());
  b.load(1, 3, y.data());
  CHECK(x == y);
  b.load(2, 3, z.data());
  CHECK(x != z);
}

TEST_CASE("normalisation equals its formula") {
  const Normalization n{{0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}};
  const std::vector<uint8_t> in = test_picture();
  std::vector<Real> out(in.size());
  Normalizer normalize(n);
  normalize(in.data(), 1024, out.data());
  double worst = 0;
  for (size_t i = 0; i < in.size(); ++i)
    worst = test::worse(worst, std::abs(static_cast<double>(out[i]) - (in[i] / 255.0 - n.mean[i / 1024]) / n.std[i / 1024]));
  CHECK(worst < 3e-7);
}

TEST_CASE("random erasing: box within bounds and of the right sizes; noise N(0, 1) inside only") {
  double least = 1, most = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    Stream stream(3, Purpose::erase, 0, i);
    const Box box = erase_box(32, 32, stream);
    if (box.area() == 0) continue;
    REQUIRE(box.top >= 0);
    REQUIRE(box.left >= 0);
    REQUIRE(box.bottom <= 32);
    REQUIRE(box.right <= 32);
    least = std::min(least, static_cast<double>(box.area()) / 1024);
    most = std::max(most, static_cast<double>(box.area()) / 1024);
  }
  CHECK(least == doctest::Approx(0.02).epsilon(0.3));
  CHECK(most == doctest::Approx(1.0 / 3).epsilon(0.1));

  std::vector<Real> image(3 * 64 * 64, Real{100});
  Stream stream(3, Purpose::erase, 0, 9);
  const Box box{8, 16, 56, 48};
  erase(image.data(), 64, 64, box, stream);
  double sum = 0, squares = 0;
  int64_t changed = 0, outside = 0;
  for (int64_t i = 0; i < 3 * 64 * 64; ++i) {
    const double v = static_cast<double>(image[static_cast<size_t>(i)]);
    if (v == 100) continue;
    const int64_t y = i / 64 % 64, x = i % 64;
    outside += y < box.top || y >= box.bottom || x < box.left || x >= box.right;
    ++changed;
    sum += v;
    squares += v * v;
  }
  CHECK(outside == 0);
  CHECK(changed == 3 * box.area());
  const double count = static_cast<double>(changed), mean = sum / count;
  CHECK(std::abs(mean) < 0.06);
  CHECK(std::abs(squares / count - mean * mean - 1) < 0.08);
}

TEST_CASE("mixup and cutmix: images and targets against the formulas, odd batches too") {
  for (const int64_t batch : {4, 5}) {
    const int64_t size = 3 * 8 * 8;
    std::vector<Real> before(static_cast<size_t>(batch * size));
    for (size_t i = 0; i < before.size(); ++i) before[i] = static_cast<Real>(i % 97) / 10;
    for (const bool cut : {false, true}) {
      Mix mix;
      mix.active = true;
      mix.cutmix = cut;
      mix.box = {1, 2, 6, 8};
      mix.lambda = cut ? 1.0 - 30.0 / 64 : 0.3;
      std::vector<Real> after = before;
      mix_images(after.data(), batch, 8, 8, mix);
      double worst = 0;
      for (int64_t i = 0; i < batch; ++i)
        for (int64_t j = 0; j < size; ++j) {
          const double own = static_cast<double>(before[static_cast<size_t>(i * size + j)]);
          const double other = static_cast<double>(before[static_cast<size_t>((batch - 1 - i) * size + j)]);
          const int64_t y = j / 8 % 8, x = j % 8;
          const bool inside = y >= 1 && y < 6 && x >= 2;
          const double want = cut ? (inside ? other : own) : 0.3 * own + 0.7 * other;
          worst = test::worse(worst, std::abs(want - static_cast<double>(after[static_cast<size_t>(i * size + j)])));
        }
      CHECK(worst < 1e-5);

      std::vector<int64_t> labels = {2, 0, 1, 1, 2};
      labels.resize(static_cast<size_t>(batch));
      std::vector<Real> targets(static_cast<size_t>(batch * 3));
      for (size_t i = 0; i < labels.size(); ++i) targets[3 * i + static_cast<size_t>(labels[i])] = 1;
      mix_targets(targets.data(), std::ssize(labels), 3, mix);
      for (size_t i = 0; i < labels.size(); ++i)
        for (size_t k = 0; k < 3; ++k) {
          const int64_t label = static_cast<int64_t>(k);
          const double want = mix.lambda * (labels[i] == label) + (1 - mix.lambda) * (labels[labels.size() - 1 - i] == label);
          CHECK(static_cast<double>(targets[3 * i + k]) == doctest::Approx(want));
        }
    }
  }
}

TEST_CASE("drawing a mix: clipped boxes correct lambda, shares and switches have their probabilities") {
  const Box corner = cut_box(32, 32, 0.75, 0, 31);  // side 16 of 32, centre in the corner
  CHECK(corner.top == 0);
  CHECK(corner.bottom == 8);
  CHECK(corner.left == 23);
  CHECK(corner.right == 32);
  AugmentConfig config = augment_preset("full");
  config.mix_prob = 0.8;
  int active = 0, cut = 0;
  double lambda = 0;
  const int n = 4000;
  for (uint64_t i = 0; i < n; ++i) {
    Stream stream(1, Purpose::mix, 0, i);
    const Mix mix = draw_mix(config, 32, 32, stream);
    active += mix.active;
    cut += mix.cutmix;
    if (mix.cutmix)
      CHECK(mix.lambda == doctest::Approx(1.0 - static_cast<double>(mix.box.area()) / 1024));
    else if (mix.active)
      lambda += mix.lambda;
    if (!mix.active) CHECK(mix.lambda == 1.0);
  }
  CHECK(std::abs(active / double{n} - 0.8) < 0.03);
  CHECK(std::abs(cut / double(active) - 0.5) < 0.05);
  CHECK(std::abs(lambda / (active - cut) - 0.5) < 0.05);  // Beta(a, a) has mean 1/2
  CHECK(!augment_preset("basic").mixes());
}

TEST_CASE("presets and ranges") {
  CHECK(!augment_preset("none").crop);
  CHECK(augment_preset("basic").flip);
  CHECK(augment_preset("full").ra_ops == 2);
  const Caught e = error_of([] { augment_preset("everything"); });
  CHECK(e.has("unknown preset: everything: choose one of none, basic, full"));
  CHECK(e.code == 2);
  AugmentConfig config;
  config.erase_prob = 1.5;
  CHECK(error_of([&] { check_augment(config); }).has("erasing probability out of range: 1.5: expected 0 to 1"));
  config.erase_prob = std::nan("");
  CHECK(error_of([&] { check_augment(config); }).code == 2);
}
