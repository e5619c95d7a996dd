#include "train/io/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>

#include "core/check.h"
#include "train/io/print.h"

namespace hv::train {
namespace {

constexpr const char* kAbout =
    "HydraViT: train, evaluate and use a vision transformer of many widths, on the cores of one computer.";

std::string help_of(const Field& field) {
  std::string text = field.help;
  if (field.flag) return text;
  const std::string range = field.range(), value = field.get();
  if (!range.empty()) text += " (" + range + ")";
  if (!value.empty()) text += " [" + value + "]";
  return text;
}

// CLI11 reads "[a,b]" as two values and "++" as the end of a command. Here they are names of files like any other, so such a
// word is given to it behind a mark.
constexpr char kMark = '\x1F';
std::string marked(const std::string& word) {
  const bool special = word.starts_with('[') || word.starts_with(kMark) || word == "++";
  return special ? kMark + word : word;
}
std::string unmarked(const std::string& word) { return word.starts_with(kMark) ? word.substr(1) : word; }

struct Parsed {
  const Command* command = nullptr;
  std::set<std::string> given;
  bool help = false;
};

}  // namespace

// The commands as CLI11 knows them. CLI11 keeps the address of one text or flag per option, so these never move.
struct Program::Parser {
  struct Bound {
    CLI::App* app;
    const Command* command;
    std::string name;  // "train", "slim cut"
    std::vector<std::pair<CLI::Option*, std::string*>> values;
  };
  CLI::App app{kAbout, "hydravit"};
  std::deque<std::string> texts;
  std::deque<bool> flags;
  std::deque<Bound> bound;

  const std::vector<Command>& commands;

  explicit Parser(const std::vector<Command>& all) : commands(all) {
    app.require_subcommand(0, 1);
    app.get_formatter()->column_width(34);
    for (const Command& command : all) add(app, command, "");
  }

  void add(CLI::App& to, const Command& command, const std::string& before) {
    CLI::App* const own = to.add_subcommand(command.name, command.help);
    if (!command.parts.empty()) own->require_subcommand(1);
    for (const Command& part : command.parts) add(*own, part, before + command.name + " ");
    if (!command.parts.empty()) return;
    bound.push_back({own, &command, before + command.name, {}});
    Bound& b = bound.back();
    own->allow_extras();  // collected, to be refused with a hint
    for (const Positional& positional : command.positionals) {
      CLI::Option* option = own->add_option(positional.name, *positional.values, positional.help);
      if (!positional.many) option->expected(positional.required ? 1 : 0, 1)->allow_extra_args(false);
      option->required(positional.required);
    }
    for (const Field& field : command.fields) {
      std::string& text = texts.emplace_back();
      CLI::Option* option = field.flag ? own->add_flag("--" + field.name, flags.emplace_back(), help_of(field))
                                       : own->add_option("--" + field.name, text, help_of(field))->type_name("");
      if (!field.topic.empty()) option->group(field.topic);
      b.values.emplace_back(option, &text);
    }
  }

  // The words that name a command, checked before CLI11 sees them, for its errors know no nearest word.
  static void check_name(const std::vector<Command>& all, int argc, char** argv, int at, const std::string& before) {
    if (at >= argc || argv[at][0] == '-') return;
    std::vector<std::string> names;
    for (const Command& command : all) {
      names.push_back(command.name);
      if (command.name == argv[at]) {
        if (!command.parts.empty()) check_name(command.parts, argc, argv, at + 1, before + command.name + " ");
        return;
      }
    }
    fail(Fault::usage, "unknown command '", before, argv[at], "'", did_you_mean(argv[at], names), "; hydravit ", before,
         "--help lists them");
  }

  Parsed parse(int argc, char** argv) {
    check_name(commands, argc, argv, 1, "");
    Parsed parsed;
    try {
      std::vector<std::string> words;  // the last one first, as CLI11 wants them
      for (int i = argc - 1; i > 0; --i) words.push_back(marked(argv[i]));
      app.parse(std::move(words));
    } catch (const CLI::CallForHelp& call) {
      app.exit(call);
      parsed.help = true;
      return parsed;
    } catch (const CLI::ParseError& error) {
      std::string text = error.what();
      fail(Fault::usage, text.substr(0, text.find('\n')), "; hydravit",
           argc > 1 && argv[1][0] != '-' ? concat(" ", argv[1]) : "", " --help lists the options");
    }
    for (const Bound& b : bound) {
      if (!b.app->parsed()) continue;
      parsed.command = b.command;
      for (const Positional& positional : b.command->positionals) {
        for (std::string& value : *positional.values) value = unmarked(value);
      }
      std::vector<std::string> options;
      for (const Field& field : b.command->fields) options.push_back("--" + field.name);
      for (const std::string& extra : b.app->remaining()) {
        if (extra == "--") continue;  // the words behind it are no options
        const std::string word = unmarked(extra.substr(0, extra.find('=')));
        fail(Fault::usage, "unknown ", word.rfind('-', 0) == 0 ? "option " : "argument ", word, did_you_mean(word, options),
             "; hydravit ", b.name, " --help lists them");
      }
      for (size_t i = 0; i < b.values.size(); ++i) {
        const auto& [option, text] = b.values[i];
        if (option->count() == 0) continue;
        const Field& field = b.command->fields[i];
        field.set(field.flag ? "on" : unmarked(*text));
        parsed.given.insert(field.name);
      }
    }
    if (!parsed.command) {
      std::fputs(app.help().c_str(), argc > 1 ? stdout : stderr);
      HV_CHECK_USAGE(argc > 1, "no command given");
      parsed.help = true;
    }
    return parsed;
  }
};

Program::Program(std::vector<Command> commands) : commands_(std::move(commands)) {}
Program::~Program() = default;

int Program::run(int argc, char** argv) {
  try {
    if (!parser_) parser_ = std::make_unique<Parser>(commands_);
    const Parsed parsed = parser_->parse(argc, argv);
    const int code = parsed.help ? 0 : parsed.command->run(parsed.given);
    const bool written = std::fflush(stdout) == 0 && !std::ferror(stdout);
    HV_CHECK(written || code != 0, "standard output: cannot write the results: was it closed, or is its disk full?");
    return code;
  } catch (const Error& error) {
    say(concat("hydravit: ", error.what()));
    return static_cast<int>(error.fault());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "hydravit: out of memory; try a smaller --batch-size\n");
    return static_cast<int>(Fault::failure);
  } catch (const std::exception& error) {
    say(concat("hydravit: ", error.what()));
    return static_cast<int>(Fault::failure);
  }
}

}  // namespace hv::train
