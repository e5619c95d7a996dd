// The command line: the text's lines are the arguments. The command that is named is parsed with all its options; none is run.
#include <map>
#include <vector>

#include "tests/fuzz/memory_file.h"
#include "train/commands/commands.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::train;
  using Make = Command (*)();
  static const std::map<std::string, Make> makers = [] {
    std::map<std::string, Make> all;
    for (const Make make : {train_command, lr_find_command, eval_command, predict_command, bench_command, info_command, export_command,
                            import_command, report_command, data_command}) {
      all[make().name] = make;
    }
    return all;
  }();
  std::vector<std::string> words{"hydravit", ""};
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') words.emplace_back();
    else if (data[i] != 0) words.back() += static_cast<char>(data[i]);
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  // Building options is what takes time, so only the named command has them.
  std::vector<Command> commands;
  for (const auto& [name, make] : makers) {
    Command command = name == words[1] ? make() : Command{name, "", {}, {}, {}};
    command.run = [keep = command.run](const std::set<std::string>&) { return 0; };  // keep: it owns what the options point to
    commands.push_back(command);
  }
  const int code = run_program(commands, static_cast<int>(arguments.size()), arguments.data());
  if (code != 0 && code != 2) std::abort();
  hv::fuzz::outcome(code == 0);
  return 0;
}
