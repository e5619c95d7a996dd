// Everything the program writes as JSON. The JSON library is named in train/json.cpp alone.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/events.h"

namespace hv::train {

struct BenchResult {
  std::string mode;  // "train" or "infer"
  int64_t heads = 0, dim = 0, batch = 0;
  double images_per_second = 0, step_ms = 0, gflops = 0;
};
struct BenchReport {
  int64_t threads = 0;
  double gemm_gflops = 0, peak_rss_mib = 0;
  std::vector<BenchResult> results;
};
struct Prediction {
  std::string image;
  int64_t heads = 0;
  std::vector<std::pair<std::string, double>> classes;  // name, probability; most probable first
};

std::string bench_json(const BenchReport& report);
std::string evaluate_json(const std::vector<WidthResult>& results);
std::string predict_json(const std::vector<Prediction>& predictions);
std::string header_json(const Header& header);
// config.json of a run folder: every resolved option with its type, the model, provenance.
std::string config_json(const Header& header);

// Lines of events.jsonl (train/events.h says what they hold), without their ends.
std::string event_json(const StartEvent& event);
std::string event_json(const LogEvent& event);
std::string event_json(const EvalEvent& event);
std::string end_event_json(int64_t step, const std::string& how);
int64_t event_step(const std::string& line);  // -1: not a whole event

}  // namespace hv::train
