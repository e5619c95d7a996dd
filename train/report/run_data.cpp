#include "train/report/run_data.h"

#include <algorithm>
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
constexpr size_t kMaxColumns = 1000, kMaxLine = size_t{1} << 20;  // kMaxLine: of events.jsonl, where a line is some 1 KB
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double number_of(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  double result = kNone;
  return found != values.end() && parse_number(found->second, result) ? result : kNone;
}

// The values of a line of events.jsonl by their names: "/widths/0/heads" -> 3.
class Event {
 public:
  Event(const std::map<std::string, std::string>& flat) : flat_(flat) {}
  std::string text(const std::string& name) const {
    const auto found = flat_.find(name);
    return found == flat_.end() ? "" : found->second;
  }
  double number(const std::string& name) const { return number_of(flat_, name); }
  int64_t whole(const std::string& name) const {  // -1 if there is no such number
    const double value = number(name);
    return value >= 0 && value <= 1e15 ? static_cast<int64_t>(value) : -1;
  }
  // The objects of a list, each as its members by name.
  std::vector<std::map<std::string, std::string>> objects(const std::string& list) const {
    std::vector<std::map<std::string, std::string>> all;
    for (int i = 0; i < 1000; ++i) {
      const std::string prefix = concat("/", list, "/", i, "/");
      std::map<std::string, std::string> members;
      for (auto at = flat_.lower_bound(prefix); at != flat_.end() && at->first.rfind(prefix, 0) == 0; ++at) {
        members[at->first.substr(prefix.size())] = at->second;
      }
      if (members.empty()) break;
      all.push_back(std::move(members));
    }
    return all;
  }

 private:
  const std::map<std::string, std::string>& flat_;
};

// The subnetworks as the first line of a session lists them, with all their axes. Later lines name only some of the axes.
class Listed {
 public:
  void read(const Event& event, RunEvents& events) {
    listed_ = event.objects("widths");
    events.labels.clear();
    for (const auto& members : listed_) {
      const auto label = members.find("label");
      events.labels.push_back(label == members.end() ? "" : label->second);
      events.shares[events.labels.back()] = number_of(members, "share");
    }
  }
  // The label of the first listed subnetwork that agrees with `members` in every key that both have; "" if there is none.
  std::string label_of(const std::map<std::string, std::string>& members, const RunEvents& events) const {
    for (size_t i = 0; i < listed_.size(); ++i) {
      size_t agreed = 0, shared = 0;
      for (const auto& [name, value] : listed_[i]) {
        const auto found = members.find(name);
        if (found == members.end()) continue;
        ++shared;
        agreed += found->second == value ? 1 : 0;
      }
      if (shared > 0 && agreed == shared) return events.labels[i];
    }
    return "";
  }

 private:
  std::vector<std::map<std::string, std::string>> listed_;
};

RunEvents::Log read_log(const Event& event, const std::map<std::string, std::string>& flat, const Listed& listed,
                        const RunEvents& events) {
  RunEvents::Log log;
  log.step = event.whole("/step");
  log.epoch = event.number("/epoch");
  log.seconds = event.number("/seconds");
  log.loss = event.number("/loss");
  log.lr = event.number("/lr");
  for (const auto& members : event.objects("widths")) {
    const std::string label = listed.label_of(members, events);
    const double drawn = number_of(members, "drawn"), loss = number_of(members, "loss");
    if (label.empty() || !(drawn > 0 && drawn <= 1e15)) continue;
    log.drawn[label] += static_cast<int64_t>(drawn);
    if (std::isfinite(loss)) log.losses[label] = loss;
  }
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
      for (const models::Subnet& width : trained_subnets(*model, *run.header)) {
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
  each_part(text, '\n', [&](std::string_view line) {
    ++number;
    if (line.empty()) return;
    const size_t cells = 1 + static_cast<size_t>(std::count(line.begin(), line.end(), ','));  // counted before they are kept
    if (table.names.empty()) {
      HV_CHECK_INPUT(cells <= kMaxColumns, name, ": line ", number, ": ", cells, " columns, expected at most ", kMaxColumns);
      table.names = split(line, ',');
      table.columns.resize(cells);
      return;
    }
    HV_CHECK_INPUT(cells == table.names.size(), name, ": line ", number, ": ", cells, " values, expected ", table.names.size());
    size_t k = 0;
    each_part(line, ',', [&](std::string_view cell) {
      double value = kNone;
      HV_CHECK_INPUT(cell.empty() || parse_number(cell, value), name, ": line ", number, ": '", cell.substr(0, 40),
                     "' is not a number");
      table.columns[k++].push_back(std::isfinite(value) ? value : kNone);
    });
  });
  HV_CHECK_INPUT(table.rows() > 0, name, ": holds no rows yet");
  return table;
}

RunEvents read_events(const std::string& path) {
  const std::string text = read_file(path, kMaxFile);
  const std::string_view whole(text.data(), text.rfind('\n') + 1);  // what follows is incomplete: the process was killed
  RunEvents events;
  Listed listed;
  int64_t images = -1, number = 0;
  each_part(whole, '\n', [&](std::string_view line) {
    ++number;
    if (line.empty()) return;
    std::map<std::string, std::string> flat;
    try {
      HV_CHECK_INPUT(line.size() <= kMaxLine, line.size(), " bytes, expected at most ", kMaxLine);
      flat = flat_json(std::string(line));
    } catch (const Error& error) {
      fail(Fault::input, path, ": line ", number, ": ", error.what());
    }
    const Event event(flat);
    const std::string kind = event.text("/event");
    HV_CHECK_INPUT(!kind.empty() && event.whole("/step") >= 0, path, ": line ", number, ": expected an event with its step");
    if (kind == "start" || kind == "resume") {
      events.ending.clear();
      listed.read(event, events);
    } else if (kind == "log") {
      events.logs.push_back(read_log(event, flat, listed, events));
    } else if (kind == "eval" && event.whole("/images") >= images) {
      images = event.whole("/images");
      for (const auto& members : event.objects("results")) {
        const std::string label = listed.label_of(members, events);
        if (!label.empty()) events.images_per_second[label] = number_of(members, "images_per_second");
      }
    } else if (kind == "end") {
      events.ending = event.text("/how");
    }
  });
  return events;
}

std::string RunData::metric() const {
  if (summary && !widths.empty()) {
    const std::string ending = "_" + widths[0].subnet.name;
    for (const std::string& column : summary->names) {
      if (column.ends_with(ending)) return column.substr(0, column.size() - ending.size());
    }
  }
  return "top1";
}

double RunData::last(const std::string& what, const models::Subnet& subnet) const {
  const std::vector<double>* values = summary ? summary->find(what + "_" + subnet.name) : nullptr;
  return values && !values->empty() ? values->back() : kNone;
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
