// What the tests of the seam share: the program's own commands, run in this process, so that they see the rows which a test has
// added to the tables of models, recipes, data and scorers.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstdio>
#include <sstream>

#include "tests/trainer_fixtures.h"
#include "tests/training.h"
#include "train/commands/commands.h"

namespace hv::seam {

using namespace hv::train;
using trainer_fixtures::Folder;

// Standard output and error go to a file while one is alive.
class Captured {
 public:
  explicit Captured(const std::string& path) : out_(dup(1)), err_(dup(2)) {
    std::fflush(nullptr);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    dup2(file, 1);
    dup2(file, 2);
    close(file);
  }
  ~Captured() {
    std::fflush(nullptr);
    dup2(out_, 1);
    dup2(err_, 2);
    close(out_);
    close(err_);
  }

 private:
  int out_, err_;
};

// `hydravit <arguments>`: what it printed. It must end well.
inline std::string run(const Folder& folder, const std::string& arguments) {
  std::vector<std::string> words = {"hydravit"};
  std::istringstream in(arguments);
  for (std::string word; in >> word;) words.push_back(word);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  int code = 0;
  {
    const Captured captured(folder / "output");
    code = Program({train_command(), eval_command(), report_command()}).run(static_cast<int>(argv.size()), argv.data());
  }
  const std::string text = test::slurp(folder / "output");
  INFO(arguments, ": ", text);
  REQUIRE(code == 0);
  return text;
}

// Trains 8 steps at once, and again in two sessions, which must end in the same bits; evaluates; reports. Returns what train
// and eval printed, summary.csv and the page.
inline std::string train_resume_evaluate_report(const std::string& options) {
  const trainer_fixtures::Threads threads;
  const Folder folder;
  crash_fixtures::write_records(folder / "data", 64, 16);
  const std::string whole = folder / "whole", parts = folder / "parts";
  const std::string common =
      concat("train --data ", folder / "data", " --steps 8 --batch-size 16 --eval-every 1 --threads 1 ", options, " --out ");
  std::string text = run(folder, common + whole);
  run(folder, common + parts + " --stop-after 3");
  run(folder, "train --resume " + parts);
  const auto last = [](const std::string& run) { return load_checkpoint(join_path(run, "last.ckpt")); };
  const Checkpoint one = last(whole), two = last(parts);
  REQUIRE(one.tensors.size() == two.tensors.size());
  for (size_t i = 0; i < one.tensors.size(); ++i) CHECK(one.header.tensors[i].crc == two.header.tensors[i].crc);
  text += run(folder, "eval " + whole);
  run(folder, "report " + whole);
  return text + test::slurp(join_path(whole, "summary.csv")) + test::slurp(join_path(whole, "report.html"));
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace hv::seam
