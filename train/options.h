// The options of a training: their defaults, and the list that names them (train/io/fields.h).
// Thread rule: plain data.
#pragma once

#include <cstdint>
#include <string>

#include "train/io/fields.h"

namespace hv::train {

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
