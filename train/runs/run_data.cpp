#include "train/runs/run_data.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "train/files/file.h"
#include "train/io/json.h"
#include "train/io/numbers.h"
#include "train/log/events.h"
#include "train/options.h"
#include "train/state/load.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

constexpr int64_t kMaxFile = int64_t{64} << 20;
constexpr size_t kMaxColumns = 1000;
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
    indices_.clear();
    events.labels.clear();
    for (const auto& members : listed_) {
      const auto label = members.find("label");
      events.labels.push_back(label == members.end() ? "" : label->second);
      events.shares[events.labels.back()] = number_of(members, "share");
    }
  }
  // The label of the first listed subnetwork that agrees with `members` in every axis that both have; "" if there is none. A
  // line may name many subnetworks, so there is an index by values for each set of axes; a run has few such sets.
  std::string label_of(const std::map<std::string, std::string>& members, const RunEvents& events) const {
    if (listed_.empty()) return "";
    std::vector<std::string> axes;
    for (const auto& [name, value] : members) {
      if (listed_[0].count(name) > 0) axes.push_back(name);
    }
    if (axes.empty() || (indices_.count(axes) == 0 && indices_.size() >= kMostIndices)) return "";
    const auto [index, fresh] = indices_.try_emplace(axes);
    for (size_t i = 0; fresh && i < listed_.size(); ++i) index->second.emplace(values_of(listed_[i], axes), events.labels[i]);
    const auto found = index->second.find(values_of(members, axes));
    return found == index->second.end() ? "" : found->second;
  }

 private:
  using Texts = std::vector<std::string>;
  static constexpr size_t kMostIndices = 16;
  static Texts values_of(const std::map<std::string, std::string>& members, const Texts& axes) {
    Texts values;
    for (const std::string& axis : axes) {
      const auto found = members.find(axis);
      values.push_back(found == members.end() ? "" : found->second);
    }
    return values;
  }
  std::vector<std::map<std::string, std::string>> listed_;
  mutable std::map<Texts, std::map<Texts, std::string>> indices_;  // by axes, then by their values: the label
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
    const Place place = run.held / name;
    if (!file_exists(place)) continue;
    try {
      run.header = read_header(place);
      const auto model = model_of(*run.header, place.text());
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

Table read_table(const Place& place) { return parse_table(read_file(place, kMaxFile), place.text()); }

Table parse_table(const std::string& text, const std::string& name) {
  Table table;
  int64_t number = 0;
  each_part(text, '\n', [&](std::string_view line) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
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

RunEvents read_events(const Place& place) {
  const std::string path = place.text();
  HV_CHECK_INPUT(file_exists(place), path, ": is not there");
  InputFile file(place);
  HV_CHECK_INPUT(file.size() <= kMaxFile, path, ": has ", file.size(), " bytes, more than the ", kMaxFile, " that are read");
  RunEvents events;
  Listed listed;
  int64_t images = -1, number = 0;
  events.skipped = each_line(file, kLongestEvent, [&](const std::string& line, bool whole) {
    ++number;
    if (line.empty() || !whole) return;  // the text after the last line end is incomplete: the process was killed
    std::map<std::string, std::string> flat;
    try {
      flat = flat_json(line);
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
  // Evaluations before the end measure only some.
  for (size_t i = values ? values->size() : 0; i > 0; --i) {
    if (std::isfinite((*values)[i - 1])) return (*values)[i - 1];
  }
  return kNone;
}

std::string RunData::option(const std::string& wanted) const {
  if (!header) return "";
  const auto found = header->options.find(wanted);
  return found == header->options.end() ? "" : found->second;
}

std::vector<models::Subnet> RunData::subnets() const {
  std::vector<models::Subnet> all;
  for (const WidthCost& width : widths) all.push_back(width.subnet);
  return all;
}

std::string RunData::why(const std::string& file) const {
  const auto found = problems.find(file);
  return found == problems.end() ? file : found->second;
}

RunData read_run(const std::string& folder) {
  HV_CHECK_USAGE(is_folder(folder), folder, ": is not a run folder; a run's folder is what --out named, or runs/...");
  return read_run(OpenFolder(folder));
}

RunData read_run(const OpenFolder& held) {
  RunData run;
  run.held = held;
  const std::string folder = run.folder = held.path();
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  run.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  read_header_and_widths(run);
  const auto attempt = [&](const std::string& file, auto read) {
    try {
      read(held / file);
    } catch (const Error& error) {
      run.problems[file] = error.what();
    }
  };
  attempt("summary.csv", [&](const Place& at) { run.summary = read_table(at); });
  attempt("predictions.csv", [&](const Place& at) { run.predictions = read_table(at); });
  attempt("events.jsonl", [&](const Place& at) { run.events = read_events(at); });
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
