// Reads a run folder: the header of the checkpoint, summary.csv, events.jsonl, predictions.csv.
//
// The files are untrusted. Invariants
//   1. The size of a file is checked before it is read. A bad file is an error (Fault::input) that names the file, the line and
//      what was expected.
//   2. read_run() stores such errors in `problems` and goes on. So a reader shows what can be read and why the rest is missing.
// Thread rule: plain data.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "train/state/checkpoint.h"

namespace hv::train {

struct Table {  // a CSV file of numbers; a cell that is empty or not finite is a NaN
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;
  size_t rows() const { return columns.empty() ? 0 : columns[0].size(); }
  const std::vector<double>* find(const std::string& name) const;  // the column of that name; null if there is none
};
Table parse_table(const std::string& text, const std::string& name);  // the text of an error begins with `name`
Table read_table(const Place& place);

struct RunEvents {  // the content of events.jsonl; train/log/events.h describes its lines
  struct Log {
    int64_t step = 0;
    double epoch = 0, seconds = 0, loss = 0, lr = 0;
    std::map<std::string, int64_t> drawn;  // by label: number of steps that trained the subnetwork
    std::map<std::string, double> losses;  // by label: mean loss, for the subnetworks that were trained
    std::map<std::string, double> time;    // by kind of work: seconds
  };
  std::vector<Log> logs;
  std::vector<std::string> labels;                  // of the subnetworks, in the order of the run
  std::map<std::string, double> shares;             // by label: expected share of all steps, 0 to 1
  std::map<std::string, double> images_per_second;  // by label, from the last of the evaluations with the most images
  std::string ending;                               // "finished", ...; empty if the run goes on or was killed
  int64_t skipped = 0;                              // number of lines that are too long for an event
};
RunEvents read_events(const Place& place);

struct WidthCost {
  models::Subnet subnet;
  int64_t params = 0, macs = 0;
};

struct RunData {
  OpenFolder held;
  std::string folder, name;
  std::optional<Header> header;
  std::vector<WidthCost> widths;  // from the narrowest to the widest; empty without a checkpoint
  std::optional<Table> summary, predictions;
  std::optional<RunEvents> events;
  std::map<std::string, std::string> problems;      // by file: why its data are missing
  std::map<std::string, double> images_per_second;  // by label, measured while training or by this report

  // The name of the metric that decides, which is the first in summary.csv: "top1".
  std::string metric() const;
  // The last value of a subnetwork in summary.csv: `what` is "top1", "ema_top1", "loss", ...; NaN if there is none.
  double last(const std::string& what, const models::Subnet& subnet) const;
  std::string option(const std::string& wanted) const;  // the value of an option of the run; "" if it is unknown
  std::vector<models::Subnet> subnets() const;          // those of `widths`
  std::string why(const std::string& file) const;       // why the data of this file are missing, or its name
};
// A path that is not a folder is an error (Fault::usage); a folder with neither a checkpoint nor summary.csv is one
// (Fault::input).
RunData read_run(const std::string& folder);
RunData read_run(const OpenFolder& folder);

// The command that repeats the run, quoted for a shell: the preset, the seed, and the options that differ from their defaults.
std::string repeat_command(const Header& header);

}  // namespace hv::train
