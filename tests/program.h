// Runs the program for tests, in a folder of its own with a small data set, and keeps its outputs. HYDRAVIT_BINARY is its path;
// without it, tests of the program are skipped.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/check.h"
#include "data/shapes10.h"
#include "tests/temp_dir.h"

namespace hv::program_fixtures {

namespace fs = std::filesystem;

inline std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Result {
  int code;
  std::string out, err;
};

// A folder of its own, and a small data set in it: 256 training and 128 test images.
class Program {
 public:
  Program() {
    fs::create_directories(folder_ / "data");
    for (const auto& [split, name, count] :
         {std::tuple{data::Split::train, "data_batch_1.bin", 256}, std::tuple{data::Split::test, "test_batch.bin", 128}}) {
      std::ofstream out(fs::path(folder_ / "data") / name, std::ios::binary);
      std::vector<uint8_t> record(3073);
      for (int i = 0; i < count; ++i) {
        data::draw_shape_record(1, split, i, record.data());
        out.write(reinterpret_cast<const char*>(record.data()), 3073);
      }
    }
  }
  static const char* binary() { return std::getenv("HYDRAVIT_BINARY"); }
  Result operator()(const std::string& arguments, const std::string& before = "") const {
    const std::string command = concat("cd '", folder_.path(), "' && unset HYDRAVIT_DATA && ", before, " '",
                                       fs::absolute(binary()).string(), "' ", arguments, " >out 2>err </dev/null");
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, slurp(folder_ / "out"), slurp(folder_ / "err")};
  }
  // On one thread, and it must succeed. -> everything that it says
  std::string ok(const std::string& arguments) const {
    const Result result = (*this)(arguments, "OMP_NUM_THREADS=1");
    INFO(arguments, '\n', result.err);
    CHECK(result.code == 0);
    return result.out + result.err;
  }
  fs::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  fixtures::TempDir folder_;
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Checks that the error is one line with this exit code and text, and that stdout is empty.
inline void check_refused(const Result& result, int code, const std::string& part) {
  INFO(result.err);
  CHECK(result.code == code);
  const size_t at = result.err.find("hydravit: ");
  REQUIRE(at != std::string::npos);
  CHECK(result.err.find('\n', at) == result.err.size() - 1);
  CHECK(contains(result.err.substr(at), part));
  CHECK(result.out.empty());
}

inline constexpr const char* kTrain = "train --preset nano --data data --batch-size 16 --threads 1 ";

}  // namespace hv::program_fixtures
