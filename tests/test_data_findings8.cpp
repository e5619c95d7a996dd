// The built-in set of drawn chests: one fixed set, with the frequencies and pairs that its header promises; and the changes
// that suit such pictures.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "core/parallel.h"
#include "data/augment.h"
#include "data/findings/findings8.h"
#include "data/inspect.h"
#include "data/randaugment.h"
#include "data/shapes10.h"
#include "train/step.h"

using namespace hv;
using namespace hv::data;

TEST_CASE("findings8 is one fixed set, with several pictures per patient and true figures") {
  const int before = num_threads();
  set_num_threads(1);
  const std::string alone = make_findings8(Split::train, 100)->checksum();
  set_num_threads(3);
  CHECK(make_findings8(Split::train, 100)->checksum() == alone);
  set_num_threads(before);
  CHECK(alone == "9f5edc47d2345542");  // with g++ and clang++ alike
  for (const Split split : {Split::test, Split::validation}) CHECK(make_findings8(split, 100)->checksum() != alone);
  CHECK(make_findings8(Split::train, 100, 9)->checksum() != alone);

  const Source source{"findings8"};
  CHECK((resolve_kind(source) == "findings8" && has_validation(source)));
  const DatasetPtr small = open(source, Split::validation);
  CHECK((small->size() == 1008 && small->name() == "findings8" && small->split() == Split::validation));
  const DatasetPtr set = make_findings8(Split::train, 3000);
  CHECK((set->scorer() == "findings" && set->default_augment() == "xray" && set->class_names() == findings8_labels()));
  const Stats s = stats(*set);
  CHECK((s.images == 3000 && s.counts.groups == 1000 && s.counts.several));
  CHECK(std::abs(s.mean[0] - set->normalization().mean[0]) < 1e-3);
  CHECK(std::abs(s.std[2] - set->normalization().std[2]) < 1e-3);
  const std::vector<double> shares = {0.12, 0.15, 0.10, 0.03, 0.40, 0.07, 0.09, 0.05};
  const auto share = [&](size_t a, size_t b) { return static_cast<double>(s.counts.together[a * 8 + b]) / 3000; };
  for (size_t k = 0; k < 8; ++k) CHECK(share(k, k) == doctest::Approx(shares[k]).epsilon(0.2));
  // Of one trait: at least twice as often together as by chance. Of different traits: as often as by chance.
  for (const auto& [a, b] : {std::pair<size_t, size_t>{0, 1}, {0, 2}, {1, 2}, {5, 6}, {3, 7}})
    CHECK(share(a, b) > 2 * share(a, a) * share(b, b));
  CHECK(share(1, 6) == doctest::Approx(share(1, 1) * share(6, 6)).epsilon(0.3));
  for (int64_t i = 12; i < 24; ++i)
    CHECK(set->group(i) == std::vector<int64_t>{4, 5, 5, 6, 6, 6, 7, 7, 7, 7, 7, 7}[static_cast<size_t>(i - 12)]);
}

TEST_CASE("findings8: each finding is where its name says") {
  // The mean picture with fluid on one side alone, against that of pictures without a finding.
  const DatasetPtr set = make_findings8(Split::validation, 1008);
  std::array<std::array<double, 2>, 3> brightness{};  // [none, left, right][left, right half of the picture], below the middle
  std::array<int, 3> count{};
  std::vector<Real> row(8);
  std::vector<uint8_t> pixels(3 * 64 * 64);
  for (int64_t i = 0; i < set->size(); ++i) {
    set->target(i, row.data());
    if (row[0] + row[5] + row[6] + row[7] > 0 || row[1] + row[2] == 2) continue;
    const size_t kind = row[1] > 0 ? 1 : row[2] > 0 ? 2 : 0;
    set->image(i, pixels.data());
    for (size_t y = 36; y < 46; ++y)
      for (size_t x = 10; x < 54; ++x) brightness[kind][x >= 32] += pixels[y * 64 + x] / 220.0;
    ++count[kind];
  }
  for (size_t kind = 0; kind < 3; ++kind) {
    REQUIRE(count[kind] > 10);
    for (double& half : brightness[kind]) half /= count[kind];
  }
  CHECK(brightness[1][1] - brightness[0][1] > 15);  // the patient's left is on the right of the picture
  CHECK(std::abs(brightness[1][0] - brightness[0][0]) < 8);
  CHECK(brightness[2][0] - brightness[0][0] > 15);
  CHECK(std::abs(brightness[2][1] - brightness[0][1]) < 8);
  CHECK(brightness[0][1] > brightness[0][0] + 5);  // the heart
}

TEST_CASE("xray: small rotations and crops, never a flip, as a naive twin makes them") {
  const DatasetPtr set = make_findings8(Split::test, 24);
  AugmentConfig config = augment_preset("xray");
  CHECK((config.crop && !config.flip && config.rotate == 7 && !config.mixes() && config.ra_ops == 0));
  config.crop = false;
  config.normalization = Normalization{{0, 0, 0}, {1.0 / 255, 1.0 / 255, 1.0 / 255}};  // bytes as they are
  Augmenter augment(*set, config, 5), again(*set, config, 5);
  std::vector<Real> found(3 * 4096), same(found.size());
  std::vector<uint8_t> in(3 * 4096);
  const long fill = std::lround(255 * set->normalization().mean[0]);
  double least = 0, most = 0;
  for (int64_t i = 0; i < set->size(); ++i) {
    augment.load(3, i, found.data());
    again.load(3, i, same.data());
    CHECK(found == same);
    set->image(i, in.data());
    const double degrees = Stream(5, Purpose::rotate, 3, static_cast<uint64_t>(i)).uniform(-7, 7);
    least = std::min(least, degrees);
    most = std::max(most, degrees);
    const double angle = degrees * std::numbers::pi / 180;
    double worst = 0;
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) {
        // Where the pixel's centre comes from, around the middle of the picture (y grows downwards).
        const double u = 31.5 + std::cos(angle) * (x - 31.5) - std::sin(angle) * (y - 31.5);
        const double v = 31.5 + std::sin(angle) * (x - 31.5) + std::cos(angle) * (y - 31.5);
        double want = static_cast<double>(fill);
        if (u >= -0.5 && u < 63.5 && v >= -0.5 && v < 63.5) {
          want = 0;
          for (int dy = 0; dy < 2; ++dy)
            for (int dx = 0; dx < 2; ++dx) {
              const double fx = std::floor(u) + dx, fy = std::floor(v) + dy;
              const auto at = [](double place) { return static_cast<size_t>(std::clamp(place, 0.0, 63.0)); };
              want += std::max(0.0, 1 - std::abs(u - fx)) * std::max(0.0, 1 - std::abs(v - fy)) * in[at(fy) * 64 + at(fx)];
            }
        }
        for (size_t c = 0; c < 3; ++c)
          worst = std::max(worst, std::abs(static_cast<double>(found[c * 4096 + static_cast<size_t>(y * 64 + x)]) - want));
      }
    }
    CHECK(worst < 1.01);  // results are cut to whole numbers
  }
  CHECK((least < -4 && most > 4));
  // Nothing else is asked for: the data decide.
  train::TrainOptions options;
  CHECK((train::augmentation(options, *set).rotate == 7 && train::augmentation(options, *make_shapes10(Split::test, 1)).flip));
  options.augment = "basic";
  CHECK((train::augmentation(options, *set).rotate == 0 && train::augmentation(options, *set).flip));
  config.rotate = 181;
  CHECK_THROWS_AS(check_augment(config), Error);
}
