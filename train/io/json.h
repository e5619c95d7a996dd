// Everything the program writes or reads as JSON. The JSON library is named in train/io/json.cpp alone.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/evaluate.h"
#include "train/exchange/safetensors.h"
#include "train/log/events.h"
#include "train/lr_find.h"
#include "train/state/checkpoint.h"

namespace hv::train {

struct BenchResult {
  std::string mode;  // "train" or "infer"
  int64_t heads = 0, dim = 0, batch = 0;
  double images_per_second = 0, step_ms = 0, gflops = 0;
  double efficiency = 0;  // time of the step's matrix products alone / time of the step; 0: not measured
  PartSeconds split{};    // seconds of a mean step, by kind of work
  double speedup = 0;     // time of the step on one thread / on all; 0: not measured
};
struct BenchReport {
  int64_t threads = 0;
  std::string precision;  // of the operands of products, as they were made: "fp32" or "bf16"
  double gemm_gflops = 0, peak_rss_mib = 0;
  std::vector<BenchResult> results;
};
struct Prediction {
  std::string image;
  int64_t heads = 0;
  std::vector<std::pair<std::string, double>> classes;  // name, probability; most probable first
};

std::string bench_json(const BenchReport& report);
std::string lr_find_json(const LrCurve& curve, const LrSuggestions& suggestions);
std::string evaluate_json(const std::vector<WidthResult>& results);
std::string prediction_json(const Prediction& prediction);
std::string problem_json(const std::string& image, const std::string& problem);
// What `info` tells: `costs` and, of a safetensors file, `model` are empty where the architecture is not known.
std::string info_json(const Header& header, const std::vector<models::Cost>& costs);
std::string info_json(const SafetensorsHeader& header, const models::Config& model, const std::vector<models::Cost>& costs);
// config.json of a run folder: every resolved option with its type, the model, provenance.
std::string config_json(const Header& header);
std::string safetensors_json(const std::map<std::string, std::string>& metadata, const std::vector<StoredTensor>& tensors);

// Reading, as events: nothing is built, so a hostile text costs no memory and no recursion. A handler ends it by throwing.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual void open(char bracket) = 0;  // '{' or '['
  virtual void close() = 0;
  virtual void key(const std::string& text) = 0;
  virtual void text(const std::string& text) = 0;
  virtual void number(uint64_t value) = 0;
  virtual void other(const char* what) = 0;  // "null", "true or false", "a negative number", "a number that is not whole"
};
// What is no UTF-8 or no JSON: an error (Fault::input), "<where>: no valid JSON at byte 17".
void parse_json(const std::string& text, const std::string& where, JsonEvents& events);

// Lines of events.jsonl (train/log/events.h says what they hold), without their ends.
std::string event_json(const StartEvent& event);
std::string event_json(const LogEvent& event);
std::string event_json(const EvalEvent& event);
std::string end_event_json(int64_t step, const std::string& how);
int64_t event_step(const std::string& line);  // -1: not a whole event

// An object out of an untrusted text, without its structure: "/widths/0/heads" -> "3". A null is left out. Not an object, or
// nested deeper than 16: an error (Fault::input).
std::map<std::string, std::string> flat_json(const std::string& text);

}  // namespace hv::train
