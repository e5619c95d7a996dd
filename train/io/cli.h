// The command line: commands, options, help, and errors that name the nearest known word. Only cli.cpp names CLI11.
//
// Invariants
//   1. Whatever is wrong with the arguments is an error (Fault::usage) that says what is allowed.
//   2. Values are read by Field::set, so types and ranges are checked in one place.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "train/io/fields.h"

namespace hv::train {

struct Positional {
  std::string name, help;
  std::vector<std::string>* values;
  bool many = false;  // more than one value
  bool required = true;
};

struct Command {
  std::string name, help;
  Fields fields;
  std::vector<Positional> positionals;
  // Runs with the names of the options that were given; returns the exit code.
  std::function<int(const std::set<std::string>& given)> run;
  std::vector<Command> parts = {};  // commands of its own, as in "slim cut"; then it has nothing else but name and help
};

class Program {
 public:
  explicit Program(std::vector<Command> commands);
  ~Program();
  // Parses, runs the command, turns errors into one line on stderr and an exit code. A second call forgets what the first one
  // parsed, but options keep the values that they were given.
  int run(int argc, char** argv);

 private:
  struct Parser;
  std::vector<Command> commands_;
  std::unique_ptr<Parser> parser_;  // made by the first run
};

}  // namespace hv::train
