#include "train/report/run_data.h"

#include <cmath>
#include <filesystem>
#include <limits>

#include "train/io/file.h"
#include "train/io/json.h"
#include "train/io/numbers.h"
#include "train/options.h"
#include "train/state/load.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

constexpr int64_t kMaxFile = int64_t{64} << 20;
constexpr size_t kMaxColumns = 1000;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Numbers by name, out of a line of events.jsonl: "/widths/0/heads" -> 3.
class Event {
 public:
  Event(const std::map<std::string, std::string>& flat) : flat_(flat) {}
  std::string text(const std::string& name) const {
    const auto found = flat_.find(name);
    return found == flat_.end() ? "" : found->second;
  }
  double number(const std::string& name) const {
    double result = kNone;
    return parse_number(text(name), result) ? result : kNone;
  }
  int64_t whole(const std::string& name) const {  // -1: none
    const double value = number(name);
    return value >= 0 && value <= 1e15 ? static_cast<int64_t>(value) : -1;
  }
  // Calls use(prefix, heads) for each object of a list that has heads.
  template <class Use>
  void each(const std::string& list, Use use) const {
    for (int i = 0; i < 1000; ++i) {
      const std::string prefix = concat("/", list, "/", i, "/");
      const int64_t heads = whole(prefix + "heads");
      if (heads < 0) return;
      use(prefix, heads);
    }
  }

 private:
  const std::map<std::string, std::string>& flat_;
};

RunEvents::Log read_log(const Event& event, const std::map<std::string, std::string>& flat) {
  RunEvents::Log log;
  log.step = event.whole("/step");
  log.epoch = event.number("/epoch");
  log.seconds = event.number("/seconds");
  log.loss = event.number("/loss");
  log.lr = event.number("/lr");
  event.each("widths", [&](const std::string& prefix, int64_t heads) {
    const int64_t drawn = event.whole(prefix + "drawn");
    const double loss = event.number(prefix + "loss");
    if (drawn > 0) log.drawn[heads] += drawn;
    if (drawn > 0 && std::isfinite(loss)) log.losses[heads] = loss;
  });
  for (auto at = flat.lower_bound("/time/"); at != flat.end() && at->first.rfind("/time/", 0) == 0 && log.time.size() < 20;
       ++at) {
    const double seconds = event.number(at->first);
    if (seconds >= 0) log.time[at->first.substr(6)] = seconds;
  }
  return log;
}

void read_header_and_widths(RunData& run) {
  for (const char* name : {"last.ckpt", "prev.ckpt"}) {
    const std::string path = join_path(run.folder, name);
    if (!file_exists(path)) continue;
    try {
      run.header = read_header(path);
      const auto model = model_of(*run.header, path);
      for (const models::Subnet& width : choose_widths(*model, trained_heads(*run.header))) {
        run.widths.push_back({width, model->params(width), model->macs(width)});
      }
      return;
    } catch (const Error& error) {
      run.header.reset();
      run.widths.clear();
      run.problems["checkpoint"] = error.what();
    }
  }
  if (!run.problems.count("checkpoint")) run.problems["checkpoint"] = join_path(run.folder, "last.ckpt") + ": is not there";
}

}  // namespace

const std::vector<double>* Table::find(const std::string& name) const {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return &columns[i];
  }
  return nullptr;
}

Table read_table(const std::string& path) { return parse_table(read_file(path, kMaxFile), path); }

Table parse_table(const std::string& text, const std::string& name) {
  Table table;
  int64_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::vector<std::string> cells = split(line, ',');
    if (table.names.empty()) {
      HV_CHECK_INPUT(cells.size() <= kMaxColumns, name, ": line 1: ", cells.size(), " columns, expected at most ", kMaxColumns);
      table.names = cells;
      table.columns.resize(cells.size());
      continue;
    }
    HV_CHECK_INPUT(cells.size() == table.names.size(), name, ": line ", number, ": ", cells.size(), " values, expected ",
                   table.names.size());
    for (size_t k = 0; k < cells.size(); ++k) {
      double value = kNone;
      HV_CHECK_INPUT(cells[k].empty() || parse_number(cells[k], value), name, ": line ", number, ": '", cells[k].substr(0, 40),
                     "' is not a number");
      table.columns[k].push_back(std::isfinite(value) ? value : kNone);
    }
  }
  HV_CHECK_INPUT(table.rows() > 0, name, ": holds no rows yet");
  return table;
}

RunEvents read_events(const std::string& path) {
  const std::vector<std::string> lines = split(read_file(path, kMaxFile), '\n');
  RunEvents events;
  int64_t images = -1;
  for (size_t i = 0; i + 1 < lines.size(); ++i) {  // what follows the last line end was cut by a killed process
    if (lines[i].empty()) continue;
    std::map<std::string, std::string> flat;
    try {
      flat = flat_json(lines[i]);
    } catch (const Error& error) {
      fail(Fault::input, path, ": line ", i + 1, ": ", error.what());
    }
    const Event event(flat);
    const std::string kind = event.text("/event");
    HV_CHECK_INPUT(!kind.empty() && event.whole("/step") >= 0, path, ": line ", i + 1, ": expected an event with its step");
    if (kind == "start" || kind == "resume") {
      events.ending.clear();
      event.each("widths",
                 [&](const std::string& prefix, int64_t heads) { events.shares[heads] = event.number(prefix + "share"); });
    } else if (kind == "log") {
      events.logs.push_back(read_log(event, flat));
    } else if (kind == "eval" && event.whole("/images") >= images) {
      images = event.whole("/images");
      event.each("results", [&](const std::string& prefix, int64_t heads) {
        events.images_per_second[heads] = event.number(prefix + "images_per_second");
      });
    } else if (kind == "end") {
      events.ending = event.text("/how");
    }
  }
  return events;
}

double RunData::last(const std::string& what, int64_t heads) const {
  const std::vector<double>* column = summary ? summary->find(concat(what, "_heads", heads)) : nullptr;
  return column && !column->empty() ? column->back() : kNone;
}

std::string RunData::option(const std::string& wanted) const {
  if (!header) return "";
  const auto found = header->options.find(wanted);
  return found == header->options.end() ? "" : found->second;
}

RunData read_run(const std::string& folder) {
  HV_CHECK_USAGE(is_folder(folder), folder, ": is not a run folder; a run's folder is what --out named, or runs/...");
  RunData run;
  run.folder = folder;
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  run.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  read_header_and_widths(run);
  const auto attempt = [&](const std::string& file, auto read) {
    try {
      read(join_path(folder, file));
    } catch (const Error& error) {
      run.problems[file] = error.what();
    }
  };
  attempt("summary.csv", [&](const std::string& at) { run.summary = read_table(at); });
  attempt("predictions.csv", [&](const std::string& at) { run.predictions = read_table(at); });
  attempt("events.jsonl", [&](const std::string& at) { run.events = read_events(at); });
  if (run.events) run.images_per_second = run.events->images_per_second;
  HV_CHECK_INPUT(run.header || run.summary, folder, ": holds neither a checkpoint nor summary.csv (",
                 run.problems["checkpoint"], "; ", run.problems["summary.csv"], "); name the folder of a run");
  return run;
}

std::string repeat_command(const Header& header) {
  TrainOptions defaults;
  std::string text = "hydravit train";
  for (const Field& field : train_fields(defaults)) {
    const auto stored = header.options.find(field.name);
    if (stored == header.options.end() || stored->second.empty() || field.name == "out" || field.name == "stop-after") continue;
    if (stored->second == field.get() && field.name != "seed" && field.name != "preset") continue;
    if (field.flag) {
      text += " --" + field.name;
      continue;
    }
    std::string quoted = "'";
    for (const char c : stored->second) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    const bool plain = stored->second.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,/") == std::string::npos;
    text += concat(" --", field.name, " ", plain ? stored->second : quoted + "'");
  }
  return text;
}

}  // namespace hv::train
