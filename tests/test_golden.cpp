// How golden numbers are read and compared: what golden.h may not overlook, and the shorter copies against the full ones.
#include <doctest/doctest.h>

#include "tests/golden.h"
#include "tests/temp_dir.h"

using namespace hv;
using namespace hv::test;

namespace {

struct From {  // while it lives, the folder that golden numbers come from
  const char* set = std::getenv("HYDRAVIT_GOLDEN");
  std::string before = set ? set : "";
  explicit From(const std::string& folder) { setenv("HYDRAVIT_GOLDEN", folder.c_str(), 1); }
  ~From() { setenv("HYDRAVIT_GOLDEN", before.c_str(), 1); }
};

template <class T>
train::TensorToWrite row(const std::string& name, const char* dtype, std::vector<T> values) {
  return {
      name, dtype, {std::ssize(values)}, [values](const train::Put& put) { put(values.data(), sizeof(T) * values.size()); }};
}

Tensor changed(const Tensor& t, size_t i, double value) {
  std::vector<double> values = t.to_vector();
  values.at(i) = value;
  return Tensor::from(values, t.shape());
}

}  // namespace

TEST_CASE("golden: NaN on either side is never equal") {
  const Tensor x = Tensor::from({1, 2, 3}, {3}), no_slope = Tensor::zeros({3});
  CHECK(relative(x, x) == 0);
  CHECK(update_error(x, x, no_slope, 1e-3).anywhere == 0);
  for (const size_t i : {0, 1, 2}) {
    const Tensor bad = changed(x, i, NAN);
    for (const auto& [found, expected] : {std::pair(bad, x), std::pair(x, bad)}) {
      CHECK(relative(found, expected) == INFINITY);
      CHECK(update_error(found, expected, no_slope, 1e-3).clear == INFINITY);
      CHECK(update_error(found, expected, no_slope, 1e-3).anywhere == INFINITY);
    }
  }
  CHECK(deviation(Tensor::full({1}, NAN), Tensor::zeros({1})) == INFINITY);
}

TEST_CASE("golden: each 11th number of a longer tensor is compared, and updates by their gradients") {
  Stream stream(1, Purpose::test);
  const Tensor whole = Tensor::normal({17, 16}, 0, 1, stream);
  std::vector<double> some;
  for (size_t i = 0; i < 272; i += kEvery) some.push_back(whole.to_vector()[i]);
  const Tensor copy = Tensor::from(some, {std::ssize(some)});
  CHECK(relative(whole, copy) == 0);
  CHECK(relative(changed(whole, 22, 9), copy) > 1);
  CHECK(relative(changed(whole, 23, 9), copy) == 0);
  CHECK(relative(changed(whole, 23, 9), whole) > 1);
  const auto moved = [&](double slope) {
    return update_error(changed(whole, 22, some[2] + 1e-3), copy, changed(Tensor::zeros(copy.shape()), 2, slope), 1e-3);
  };
  CHECK(moved(0).clear == doctest::Approx(1).epsilon(1e-3));
  CHECK(moved(-2e-5).clear == doctest::Approx(1).epsilon(1e-3));
  CHECK(moved(9e-6).clear <= 0);
  CHECK(moved(9e-6).anywhere == doctest::Approx(1).epsilon(1e-3));
}

TEST_CASE("golden: numbers that no test has read are named, those of other files too") {
  const fixtures::TempDir folder;
  std::filesystem::create_directory(folder / "toy");
  train::write_safetensors(folder / "toy/a.safetensors", {}, {row<float>("x", "F32", {1}), row<float>("y", "F32", {2})});
  train::write_safetensors(folder / "toy/b.safetensors", {{"same_in.a", "y"}}, {row<int64_t>("n", "I64", {3, 4})});
  const From from(folder.path());
  const Golden a("toy/a"), b("toy/b");
  CHECK(b["y"].item() == 2);
  CHECK(unread("toy") == "toy/a: x\ntoy/a: y\ntoy/b: n\n");
  CHECK(a["y"].item() == 2);
  CHECK(b.labels.at("n") == std::vector<int64_t>{3, 4});
  CHECK(unread("toy") == "toy/a: x\n");
  CHECK(a["x"].item() == 1);
  CHECK(unread("toy") == "");
}

TEST_CASE("golden: the copies in tests/golden are those of the full numbers") {
  for (const std::string system : {"hydravit", "scala", "thinkingvit"}) {
    if (golden_folder(system) == "tests/golden") {
      MESSAGE("skipped: only the copies of ", system, " are here");
      return;
    }
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(golden_folder(system) + "/" + system)) {
      if (entry.path().extension() != ".safetensors") continue;
      const std::string file = system + "/" + entry.path().stem().string();
      CAPTURE(file);
      const Golden full(file);
      const From from("tests/golden");
      const Golden copy(file);
      ++files;
      CHECK(copy.labels.values == full.labels.values);
      const bool first_head = copy.metadata.count("heads") && copy.whole("heads") < full.whole("heads");
      if (!first_head && file != "hydravit/forward") CHECK(copy.tensors.values.size() == full.tensors.values.size());
      for (const auto& named : copy.tensors.values) {
        const std::string name = named.first;
        const Tensor held = named.second;
        CAPTURE(name);
        Tensor whole = full.tensors.values.at(name);
        if (first_head && name.find(".qkv.") != std::string::npos) continue;  // a part of each third
        for (int d = 0; first_head && d < whole.rank(); ++d) whole = whole.slice(d, 0, held.size(d));
        CHECK(held_by(held, whole) == held.to_vector());
      }
    }
    CHECK(files > 5);
  }
}
