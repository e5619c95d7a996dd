// The command line: the text's lines are the arguments. The command that is named is parsed; none is run.
#include <vector>

#include "tests/fuzz/memory_file.h"
#include "train/commands/commands.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::train;
  // One program for all inputs: building its options would take a hundred times as long as parsing them.
  static Program program([] {
    std::vector<Command> commands{train_command(), lr_find_command(), eval_command(),   predict_command(), bench_command(),
                                  info_command(),  export_command(),  import_command(), report_command(),  data_command()};
    for (Command& command : commands) {
      command.run = [keep = command.run](const std::set<std::string>&) {
        return 0;
      };  // keep: it owns what the options point to
    }
    return commands;
  }());
  std::vector<std::string> words{"hydravit", ""};
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n')
      words.emplace_back();
    else if (data[i] != 0)
      words.back() += static_cast<char>(data[i]);
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  const int code = program.run(static_cast<int>(arguments.size()), arguments.data());
  if (code != 0 && code != 2) std::abort();
  hv::fuzz::outcome(code == 0);
  return 0;
}
