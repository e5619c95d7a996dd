// The command line: the text's lines are the arguments. Every command is parsed with all its options, none is run.
#include <vector>

#include "tests/fuzz/memory_file.h"
#include "train/commands/commands.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::train;
  std::vector<std::string> words{"hydravit", ""};
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') words.emplace_back();
    else if (data[i] != 0) words.back() += static_cast<char>(data[i]);
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  // Only the command that is named, if one is: building all the others' options is what takes time.
  std::vector<Command> commands;
  for (const auto& make : {train_command, lr_find_command, eval_command, predict_command, bench_command, info_command, export_command,
                           import_command, report_command, data_command}) {
    Command command = make();
    command.run = [keep = command.run](const std::set<std::string>&) { return 0; };  // keep: it owns what the options point to
    if (command.name == words[1]) commands.assign(1, command);
    if (commands.empty() || commands.front().name != words[1]) commands.push_back(command);
  }
  const int code = run_program(commands, static_cast<int>(arguments.size()), arguments.data());
  if (code != 0 && code != 2) std::abort();
  return 0;
}
