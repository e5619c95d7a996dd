// Options by name: one list says for each its place, range and help. The command line, config.json, the checkpoint and --resume
// all go through that list, so an option exists in all of them or in none.
//
// Invariants
//   1. set() checks type and range; an error (Fault::usage) names the option, the value and what is allowed.
//   2. get() writes the shortest text that set() reads back to the same value.
// Thread rule: plain data.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace hv::train {

struct Field {
  std::string name;  // without the dashes
  std::variant<int64_t*, double*, std::string*, bool*> at;
  std::string help;
  double low = 0, high = 0;               // of numbers
  std::vector<std::string> choices = {};  // of texts; empty: any. A bool is on or off
  bool flag = false;                      // a bool that is given without a value

  void set(const std::string& text) const;
  std::string get() const;
  std::string range() const;  // "0 to 1", "cosine or constant"
};
using Fields = std::vector<Field>;
const Field* find_field(const Fields& fields, const std::string& name);

// The nearest of `names` by edit distance, or "" if none is near: for "did you mean".
std::string nearest(const std::string& word, const std::vector<std::string>& names);
std::string did_you_mean(const std::string& word, const std::vector<std::string>& names, const std::string& before = "");

struct TrainOptions {
  std::string preset = "nano", heads, weights;
  std::string data, kind = "auto";
  int64_t epochs = 0, steps = 0;
  double minutes = 0;
  int64_t batch_size = 128, grad_accum = 1;
  std::string optimizer = "adamw", schedule = "cosine";
  double lr = 1e-3, min_lr = 0, weight_decay = 0.05, momentum = 0.9;
  double warmup = 0.05;
  int64_t warmup_steps = -1;
  double clip_grad = 0, smoothing = 0.1, drop_path = 0, dropout = 0, ema = 0.999;
  bool active_only = false;
  std::string init = "trunc_normal";
  std::string augment = "basic";
  double mixup = -1, cutmix = -1, erase = -1;
  int64_t randaugment = -1;
  bool shuffle = true;
  int64_t train_limit = 0;
  int64_t eval_every = 1, eval_limit = 2000, eval_batch = 250;
  int64_t save_every = 0, keep_last = 2, log_interval = 50, stop_after = 0;
  bool keep_best = true, tensorboard = false;
  int64_t seed = 0, threads = 0;
  std::string precision = "fp32", on_nan = "stop";
  std::string out;
};

// The options that make a run what it is; they are stored in its checkpoints.
Fields train_fields(TrainOptions& options);
// Which of them may be given together with --resume: they do not change the numbers computed.
bool may_change_on_resume(const std::string& name);
void check_options(const TrainOptions& options);  // what no single range can say; Fault::usage

}  // namespace hv::train
