// Everything the program writes as JSON, and reading it back. The JSON library is named in train/json.cpp alone.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/checkpoint.h"
#include "train/evaluate.h"

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

// An object out of an untrusted text, without its structure: "/widths/0/heads" -> "3". A null is left out. Not an object, or nested
// deeper than 16: an error (Fault::input).
std::map<std::string, std::string> flat_json(const std::string& text);

}  // namespace hv::train
