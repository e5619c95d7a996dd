// Checkpoints: round trip, and files that are cut, altered or made by hand.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/temp_dir.h"
#include "train/files/crc32c.h"
#include "train/files/file.h"
#include "train/state/checkpoint.h"
#include "train/state/load.h"
#include "train/state/run_folder.h"

using namespace hv;
using namespace hv::train;
using fixtures::Folder;

namespace {

namespace fs = std::filesystem;

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_all(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

Header small_header() {
  Header header;
  header.model = {{"model", "hydravit"}, {"heads", "2"}};
  header.options = {{"lr", "0.001"}, {"data", "shapes10"}};
  header.provenance = {{"blas", "OpenBLAS"}};
  header.counters = {{"step", 7}, {"epoch", -1}};
  header.metrics = {{"loss", 0.1}};
  header.seed = 0xFFFFFFFFFFFFFFFFull;
  header.class_names = {"a", "b"};
  header.mean = {0.1, 0.2, 0.3};
  header.std = {1, 2, 3};
  return header;
}

std::vector<NamedTensor> small_tensors() {
  Stream stream(1, Purpose::test);
  return {{"model.w", Tensor::normal({3, 5}, 0, 1, stream)},
          {"model.scalar", Tensor::scalar(4)},
          {"model.none", Tensor::zeros({0, 3})}};
}

// The file's error, "" if it loads.
std::string load_error(const std::string& path) {
  try {
    load_checkpoint(path);
    return "";
  } catch (const Error& error) {
    REQUIRE(error.fault() == Fault::input);
    const std::string text = error.what();
    REQUIRE(text.find(path) == 0);
    REQUIRE(text.find('\n') == std::string::npos);
    return text;
  }
}

bool header_refused(const std::string& path) {
  try {
    read_header(path);
    return false;
  } catch (const Error& error) {
    return error.fault() == Fault::input;
  }
}

// Puts the right checksums into an altered file, so that what lies behind them is tested.
void sign(std::string& bytes) {
  uint32_t length = 0;
  std::memcpy(&length, &bytes[12], 4);
  if (16 + size_t{length} + 4 + 24 > bytes.size()) return;
  const uint32_t crc = crc32c(bytes.data(), 16 + length);
  std::memcpy(&bytes[16 + length], &crc, 4);
  const uint64_t trailer[2] = {bytes.size(), crc32c(bytes.data(), bytes.size() - 24)};
  std::memcpy(&bytes[bytes.size() - 24], trailer, 16);
}

[[maybe_unused]] long peak_rss_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("crc32c: the check value of the standard") { CHECK(crc32c("123456789", 9) == 0xE3069283u); }

TEST_CASE("checkpoint: what is saved is loaded") {
  const Folder folder;
  const std::string path = folder / "a.ckpt";
  const Header header = small_header();
  const std::vector<NamedTensor> tensors = small_tensors();
  save_checkpoint(path, header, tensors);
  const Checkpoint loaded = load_checkpoint(path);
  CHECK(loaded.header.model == header.model);
  CHECK(loaded.header.options == header.options);
  CHECK(loaded.header.provenance == header.provenance);
  CHECK(loaded.header.counters == header.counters);
  CHECK(loaded.header.metrics == header.metrics);
  CHECK(loaded.header.seed == header.seed);
  CHECK(loaded.header.class_names == header.class_names);
  CHECK(loaded.header.mean == header.mean);
  CHECK(loaded.header.std == header.std);
  REQUIRE(loaded.tensors.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(loaded.tensors[i].name == tensors[i].name);
    CHECK(loaded.tensors[i].value.shape() == tensors[i].value.shape());
    const std::vector<double> expected = tensors[i].value.to_vector(), found = loaded.tensors[i].value.to_vector();
    for (size_t j = 0; j < expected.size(); ++j) CHECK(static_cast<float>(found[j]) == static_cast<float>(expected[j]));
  }
  CHECK(read_header(path).tensors.size() == 3);
  CHECK(load_checkpoint(path, [](const std::string& name) { return name == "model.scalar"; }).tensors.size() == 1);
  CHECK_THROWS_WITH_AS(loaded.tensor("model.x"), doctest::Contains("has no tensor model.x"), Error);
  CHECK(fs::file_size(path) % 4 == 0);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 1);  // no temporary files
}

TEST_CASE("checkpoint: every cut, every flipped bit of the header, many of the body") {
  const Folder folder;
  const std::string good = folder / "good.ckpt", bad = folder / "bad.ckpt";
  save_checkpoint(good, small_header(), small_tensors());
  const std::string bytes = read_all(good);
  for (size_t length = 0; length < bytes.size(); ++length) {
    write_all(bad, bytes.substr(0, length));
    REQUIRE(load_error(bad) != "");
    REQUIRE(header_refused(bad));
  }
  write_all(bad, bytes + '\0');
  CHECK(load_error(bad).find("cut or altered") != std::string::npos);

  uint32_t header_bytes = 0;
  std::memcpy(&header_bytes, &bytes[12], 4);
  for (size_t bit = 0; bit < 8 * (16 + header_bytes + 4); ++bit) {
    std::string altered = bytes;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << bit % 8));
    write_all(bad, altered);
    REQUIRE(load_error(bad) != "");
    REQUIRE(header_refused(bad));
  }
  for (size_t bit = 8 * (16 + header_bytes + 4); bit < 8 * bytes.size(); ++bit) {  // padding, tensors and trailer
    std::string altered = bytes;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << bit % 8));
    write_all(bad, altered);
    REQUIRE(load_error(bad) != "");
  }
}

TEST_CASE("checkpoint: a header with right checksums and wrong contents") {
  const Folder folder;
  const std::string good = folder / "good.ckpt", bad = folder / "bad.ckpt";
  save_checkpoint(good, small_header(), small_tensors());
  const std::string bytes = read_all(good);
  uint32_t header_bytes = 0;
  std::memcpy(&header_bytes, &bytes[12], 4);
  [[maybe_unused]] const long before = peak_rss_kib();
  int refused = 0;
  const uint64_t hostile[] = {0, 1, 0xFF, 1u << 20, uint64_t{1} << 32, uint64_t{1} << 61, uint64_t{1} << 63, ~uint64_t{0}};
  for (size_t at = 16; at + 8 <= 16 + header_bytes; ++at) {
    for (const uint64_t value : hostile) {
      std::string altered = bytes;
      std::memcpy(&altered[at], &value, 8);
      sign(altered);
      write_all(bad, altered);
      refused += load_error(bad) != "";  // some changes only give another name or figure: those load
    }
  }
  CHECK(refused > static_cast<int>(header_bytes));
  Stream stream(2, Purpose::test);
  for (int i = 0; i < 3000; ++i) {
    std::string altered = bytes;
    for (int changes = 1 + static_cast<int>(stream.below(4)); changes > 0; --changes) {
      altered[8 + stream.below(static_cast<uint32_t>(8 + header_bytes))] = static_cast<char>(stream.below(256));
    }
    sign(altered);
    write_all(bad, altered);
    refused += load_error(bad) != "";  // or it loads; there is no crash and no other exception
  }
#ifndef HV_ASAN  // AddressSanitizer keeps what was freed
  CHECK(peak_rss_kib() - before < 64 * 1024);
#endif
}

TEST_CASE("checkpoint: texts of the errors") {
  const Folder folder;
  const std::string good = folder / "good.ckpt", bad = folder / "bad.ckpt";
  save_checkpoint(good, small_header(), small_tensors());
  const std::string bytes = read_all(good);
  const auto error_of = [&](std::string altered, bool signed_again = true) {
    if (signed_again) sign(altered);
    write_all(bad, altered);
    return load_error(bad);
  };
  std::string other = bytes;
  other[0] = 'X';
  CHECK(error_of(other).find("not a checkpoint: it does not begin with HYDRAVIT") != std::string::npos);
  other = bytes;
  other[8] = 9;
  CHECK(error_of(other).find("checkpoint format 9; this program reads format 1") != std::string::npos);
  CHECK(error_of("HYDRAVIT", false).find("8 bytes are too few for a checkpoint") != std::string::npos);
  other = bytes;
  other[bytes.size() - 88] ^= 1;  // in the last tensor with elements
  CHECK(error_of(other).find("model.scalar") != std::string::npos);
  CHECK(load_error(folder / "missing.ckpt").find("cannot open") != std::string::npos);
  CHECK(load_error(folder.path()).find("not a regular file") != std::string::npos);
  std::vector<NamedTensor> twice = small_tensors();
  twice.push_back(twice[0]);
  save_checkpoint(bad, small_header(), twice);
  CHECK(load_error(bad).find("two tensors named model.w") != std::string::npos);
  Header control = small_header();
  control.class_names[0] = "\033[2J";
  save_checkpoint(bad, control, small_tensors());
  CHECK(load_error(bad).find("control characters") != std::string::npos);
}

TEST_CASE("checkpoint: saving keeps the one before, a failed save changes nothing") {
  const Folder folder;
  const std::string last = folder / "last.ckpt", prev = folder / "prev.ckpt";
  Header header = small_header();
  for (int64_t step = 1; step <= 3; ++step) {
    header.counters["step"] = step;
    save_checkpoint(last, header, small_tensors(), {prev});
  }
  CHECK(read_header(last).counters.at("step") == 3);
  CHECK(read_header(prev).counters.at("step") == 2);

  // A limit on file sizes stands for a full disk.
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit tight{500, old.rlim_max};
  const auto before = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &tight);
  std::string text;
  try {
    save_checkpoint(last, header, small_tensors(), {prev});
  } catch (const Error& error) {
    text = error.what();
    CHECK(error.fault() == Fault::failure);
  }
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, before);
  CHECK(text.find(last + ": cannot write") == 0);
  CHECK(read_header(last).counters.at("step") == 3);
  CHECK(read_header(prev).counters.at("step") == 2);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 2);

  CHECK_THROWS_WITH_AS(save_checkpoint(folder / "no/such/folder.ckpt", header, small_tensors()),
                       doctest::Contains("cannot create: No such file or directory"), Error);

  SUBCASE("a damaged last.ckpt: prev.ckpt is used, loudly") {
    write_all(last, read_all(last).substr(0, 400));
    std::string warning;
    const Checkpoint loaded = load_run(folder.path(), [&](const std::string& line) { warning = line; });
    CHECK(loaded.header.counters.at("step") == 2);
    CHECK(warning.find("WARNING: ") == 0);
    CHECK(warning.find("using the one before it") != std::string::npos);
    CHECK_THROWS_AS(load_run(last, [](const std::string&) {}), Error);  // a file asked for by name is that file
  }
  SUBCASE("temporary files of processes that are gone are removed; those of live ones and the files of others stay") {
    const std::string gone = folder / "last.ckpt.hydravit.tmp.0123456789abcdef", thesis = folder / "thesis.tmp.docx";
    const std::string numbered = folder / "last.ckpt.tmp.999999999", longer = gone + ".txt",
                      alone = folder / ".hydravit.tmp.0123456789abcdef";
    for (const std::string& path : {gone, thesis, numbered, longer, alone}) write_all(path, "x");
    AtomicFile written(folder / "best.ckpt");
    remove_stale_files(folder.path());
    CHECK_FALSE(fs::exists(gone));
    for (const std::string& path : {thesis, numbered, longer, alone}) CHECK(fs::exists(path));
    written.commit();
    CHECK(fs::exists(folder / "best.ckpt"));
  }
}

TEST_CASE("checkpoint: the newest states are kept; unreadable ones are set aside and never take the place of a good one") {
  const Folder folder;
  const auto save = [&](int64_t step, int64_t keep_last) {
    Header header = small_header();
    header.counters["step"] = step;
    save_run(folder.path(), header, small_tensors(), keep_last);
  };
  const auto steps = [&] {  // of last.ckpt, prev.ckpt, prev2.ckpt, ...
    std::vector<int64_t> found;
    for (int64_t age = 0; file_exists(kept_path(folder.path(), age)); ++age) {
      found.push_back(load_checkpoint(kept_path(folder.path(), age)).header.counters.at("step"));
    }
    return found;
  };
  using Steps = std::vector<int64_t>;
  for (int64_t step = 1; step <= 6; ++step) save(step, 4);
  CHECK(steps() == Steps{6, 5, 4, 3});
  save(7, 2);
  CHECK(steps() == Steps{7, 6});
  save(8, 1);
  CHECK(steps() == Steps{8});
  for (int64_t step = 9; step <= 11; ++step) save(step, 4);
  CHECK(steps() == Steps{11, 10, 9, 8});

  write_all(folder / "last.ckpt", "damaged");
  fs::resize_file(folder / "prev.ckpt", 300);
  std::vector<std::string> warnings;
  const Checkpoint loaded = load_run(folder.path(), [&](const std::string& line) { warnings.push_back(line); });
  CHECK(loaded.path == folder / "prev2.ckpt");
  CHECK(warnings.size() == 2);
  go_on_from(folder.path(), loaded.path);
  CHECK(steps() == Steps{9});
  CHECK(read_all(folder / "last.ckpt.damaged") == "damaged");
  CHECK(fs::file_size(folder / "prev.ckpt.damaged") == 300);
  save(10, 4);
  CHECK(steps() == Steps{10, 9});
  go_on_from(folder.path(), folder / "last.ckpt");
  CHECK(steps() == Steps{10, 9});
}

TEST_CASE("run folder: one lock at a time") {
  const Folder folder;
  const auto warn = [](const std::string& text) { FAIL(text); };
  {
    const FolderLock lock(folder.path(), warn);
    CHECK_THROWS_WITH_AS(
        FolderLock(folder.path(), warn),
        doctest::Contains(concat("another training is going on in this folder, process ", getpid(), ";").c_str()), Error);
  }
  CHECK_NOTHROW(FolderLock(folder.path(), warn));
  CHECK_THROWS_WITH_AS(FolderLock(folder / "none", warn), doctest::Contains("none: cannot open folder: No such file"), Error);
}

TEST_CASE("run folder: a number where the name is taken, an error where a run is") {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const std::string first = make_run_folder("", "nano").path(), second = make_run_folder("", "nano").path();
  CHECK(first.find("runs/nano-") == 0);
  CHECK(first != second);
  write_all(join_path(first, "last.ckpt"), "x");
  CHECK_THROWS_WITH_AS(make_run_folder(first, "nano"), doctest::Contains("holds a run already; continue it with --resume"),
                       Error);
  write_all("file", "x");
  CHECK_THROWS_WITH_AS(make_run_folder("file/run", "nano"), doctest::Contains("cannot make folder"), Error);
  CHECK_THROWS_WITH_AS(make_run_folder("file", "nano"), doctest::Contains("cannot make folder"), Error);
  fs::current_path(before);
}
