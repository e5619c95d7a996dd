// A run folder as the report needs it: the checkpoint's header, summary.csv, events.jsonl, predictions.csv.
//
// Files are untrusted. Invariants
//   1. Sizes are checked before reading; a bad file is an error (Fault::input) that names the file, the line and what was
//      expected.
//   2. read_run() keeps such errors in `problems` and goes on: a report of what there is, with reasons for the rest.
// Thread rule: plain data.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "train/state/checkpoint.h"

namespace hv::train {

struct Table {  // a CSV file of numbers; what is empty or not finite is a NaN
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;
  size_t rows() const { return columns.empty() ? 0 : columns[0].size(); }
  const std::vector<double>* find(const std::string& name) const;
};
Table parse_table(const std::string& text, const std::string& name);  // `name` for errors
Table read_table(const std::string& path);

struct RunEvents {  // of events.jsonl; train/log/events.h says what a line holds
  struct Log {
    int64_t step = 0;
    double epoch = 0, seconds = 0, loss = 0, lr = 0;
    std::map<int64_t, int64_t> drawn;    // by heads
    std::map<int64_t, double> losses;    // by heads, where drawn
    std::map<std::string, double> time;  // seconds by part of a step
  };
  std::vector<Log> logs;
  std::map<int64_t, double> shares;             // by heads, as asked for
  std::map<int64_t, double> images_per_second;  // by heads, of the evaluation with the most images, the last of equals
  std::string ending;                           // "finished", ...; empty: the run goes on or was killed
};
RunEvents read_events(const std::string& path);

struct WidthCost {
  models::Subnet subnet;
  int64_t params = 0, macs = 0;
};

struct RunData {
  std::string folder, name;
  std::optional<Header> header;
  std::vector<WidthCost> widths;  // narrowest first; empty without a checkpoint
  std::optional<Table> summary, predictions;
  std::optional<RunEvents> events;
  std::map<std::string, std::string> problems;  // by file: why it is not there
  std::map<int64_t, double> images_per_second;  // by heads, measured: while training or by this report

  // A width's last value of summary.csv, "top1" or "ema_top1"; NaN: none.
  double last(const std::string& what, int64_t heads) const;
  std::string option(const std::string& wanted) const;  // of the header; "": none
};
RunData read_run(const std::string& folder);

// What to type to run it again: those options alone that differ from the defaults, the preset and the seed.
std::string repeat_command(const Header& header);

}  // namespace hv::train
