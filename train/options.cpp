#include "train/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/check.h"
#include "data/augment.h"
#include "models/elastic.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace hv::train {
namespace {

template <class Number>
std::string number_text(Number value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

template <class Number>
bool parse_number(const std::string& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, change});
    }
  }
  return row.back();
}

constexpr double kMany = 1e9;  // no limit in practice

}  // namespace

std::string Field::range() const {
  if (std::holds_alternative<bool*>(at)) return "on or off";
  if (std::holds_alternative<std::string*>(at)) return joined(choices);
  const auto text = [](double x) { return x == std::floor(x) ? number_text(static_cast<int64_t>(x)) : number_text(x); };
  return high >= kMany ? concat(text(low), " or more") : concat(text(low), " to ", text(high));
}

void Field::set(const std::string& text) const {
  if (bool* const* value = std::get_if<bool*>(&at)) {
    HV_CHECK_USAGE(text == "on" || text == "off", "--", name, ": '", text, "' is neither on nor off");
    **value = text == "on";
  } else if (std::string* const* word = std::get_if<std::string*>(&at)) {
    HV_CHECK_USAGE(choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end(), "--", name, ": '", text,
                   "' is unknown; choose ", range(), did_you_mean(text, choices));
    **word = text;
  } else if (int64_t* const* whole = std::get_if<int64_t*>(&at)) {
    int64_t parsed = 0;
    HV_CHECK_USAGE(parse_number(text, parsed), "--", name, ": '", text, "' is no whole number; give ", range());
    HV_CHECK_USAGE(static_cast<double>(parsed) >= low && static_cast<double>(parsed) <= high, "--", name, ": ", text,
                   " is out of range; give ", range());
    **whole = parsed;
  } else {
    double parsed = 0;
    HV_CHECK_USAGE(parse_number(text, parsed), "--", name, ": '", text, "' is no number; give ", range());
    HV_CHECK_USAGE(parsed >= low && parsed <= high, "--", name, ": ", text, " is out of range; give ", range());  // NaN is, too
    *std::get<double*>(at) = parsed;
  }
}

std::string Field::get() const {
  if (bool* const* value = std::get_if<bool*>(&at)) return **value ? "on" : "off";
  if (std::string* const* word = std::get_if<std::string*>(&at)) return **word;
  if (int64_t* const* whole = std::get_if<int64_t*>(&at)) return number_text(**whole);
  return number_text(*std::get<double*>(at));
}

const Field* find_field(const Fields& fields, const std::string& name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

std::string nearest(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& name : names) {
    const bool begins = word.size() >= 3 && name.compare(0, word.size(), word) == 0;
    const size_t apart = std::max(word.size(), name.size()) - std::min(word.size(), name.size());  // at least so many edits
    const size_t distance = begins ? 1 : apart >= least ? apart : edit_distance(word, name);
    if (distance < least) least = distance, best = name;
  }
  return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& names, const std::string& before) {
  const std::string name = nearest(word, names);
  return name.empty() ? "" : concat("; did you mean ", before, name, "?");
}

Fields train_fields(TrainOptions& o) {
  return {
      {"preset", &o.preset, "model", 0, 0, models::model_names()},
      {"heads", &o.heads, "widths to train, as 3-8 or 3,5,8; default: all of the preset"},
      {"weights", &o.weights, "how often each width is drawn, as 1,1,2; default: all the same"},
      {"data", &o.data, "folder with the data, or shapes10; default: $HYDRAVIT_DATA, else datasets/, else shapes10"},
      {"kind",
       &o.kind,
       "what the folder holds",
       0,
       0,
       {"auto", "cifar10", "cifar100", "cifar100-coarse", "folder", "shapes10"}},
      {"epochs", &o.epochs, "passes over the training images; default 10 unless --steps or --minutes is given", 0, 1e6},
      {"steps", &o.steps, "optimiser steps, instead of --epochs", 0, kMany},
      {"minutes", &o.minutes, "time limit; alone, the schedule follows the clock", 0, 1e6},
      {"batch-size", &o.batch_size, "images a pass", 1, 65536},
      {"grad-accum", &o.grad_accum, "passes a step", 1, 4096},
      {"optimizer", &o.optimizer, "optimiser", 0, 0, optimizer_names()},
      {"schedule", &o.schedule, "learning rate after the warm-up", 0, 0, schedule_names()},
      {"lr", &o.lr, "highest learning rate", 0, kMany},
      {"min-lr", &o.min_lr, "learning rate at the end of the cosine", 0, kMany},
      {"weight-decay", &o.weight_decay, "decay of weight matrices", 0, 1e3},
      {"momentum", &o.momentum, "of sgd", 0, 0.99999},
      {"warmup", &o.warmup, "share of the run with a rising learning rate", 0, 1},
      {"warmup-steps", &o.warmup_steps, "the same in steps; -1: use --warmup", -1, kMany},
      {"clip-grad", &o.clip_grad, "largest norm of the gradient; 0: no limit", 0, kMany},
      {"smoothing", &o.smoothing, "label smoothing", 0, 0.999},
      {"drop-path", &o.drop_path, "stochastic depth of the last block", 0, 0.99},
      {"dropout", &o.dropout, "dropout", 0, 0.99},
      {"ema", &o.ema, "decay of the moving average of the weights; 0: none", 0, 0.9999999},
      {"active-only", &o.active_only, "update just the weights of the width drawn", 0, 0, {}, true},
      {"init", &o.init,
       "first weights: trunc_normal, reference (uniform, as the authors' code), a checkpoint, or timm's in safetensors"},
      {"augment", &o.augment, "random changes of images", 0, 0, data::augment_presets()},
      {"mixup", &o.mixup, "mixup's alpha; -1: as --augment says", -1, 100},
      {"cutmix", &o.cutmix, "cutmix's alpha; -1: as --augment says", -1, 100},
      {"erase", &o.erase, "probability of random erasing; -1: as --augment says", -1, 1},
      {"randaugment", &o.randaugment, "RandAugment operations an image; -1: as --augment says", -1, 16},
      {"shuffle", &o.shuffle, "a new order of the images every epoch"},
      {"train-limit", &o.train_limit, "use this many training images; 0: all", 0, kMany},
      {"eval-every", &o.eval_every, "evaluate every width after this many epochs; 0: at the end only", 0, 1e6},
      {"eval-limit", &o.eval_limit, "test images of these evaluations; 0: all. The last one uses all", 0, kMany},
      {"eval-batch", &o.eval_batch, "images a pass of an evaluation", 1, 65536},
      {"save-every", &o.save_every, "save after this many steps; 0: after each epoch", 0, kMany},
      {"keep-last", &o.keep_last, "newest states to keep: last.ckpt, prev.ckpt, prev2.ckpt, ...", 1, 1000},
      {"keep-best", &o.keep_best, "keep the state of the best evaluation as best.ckpt"},
      {"log-interval", &o.log_interval, "steps between two lines of events.jsonl, and of stderr where it is no terminal", 1,
       kMany},
      {"tensorboard", &o.tensorboard, "write an event file for TensorBoard in the run folder"},
      {"stop-after", &o.stop_after, "save and stop after this many steps of this call; --resume goes on", 0, kMany},
      {"seed", &o.seed, "of all randomness", 0, 9e15},
      {"threads", &o.threads, "cores to use; 0: all", 0, 1024},
      {"precision", &o.precision, "of the operands of products; weights, sums and all else stay fp32", 0, 0, {"fp32", "bf16"}},
      {"on-nan",
       &o.on_nan,
       "a loss or gradient that is not finite: stop, skip the step, or roll back to the last saved state",
       0,
       0,
       {"stop", "skip", "rollback"}},
      {"out", &o.out, "run folder; default: runs/<preset>-<date>-<time>"},
  };
}

bool may_change_on_resume(const std::string& name) {
  static const std::vector<std::string> names = {"data",       "epochs",     "steps",      "minutes",     "eval-every",
                                                 "eval-limit", "save-every", "keep-last",  "keep-best",   "log-interval",
                                                 "stop-after", "threads",    "eval-batch", "tensorboard", "on-nan"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_options(const TrainOptions& o) {
  HV_CHECK_USAGE(o.epochs == 0 || o.steps == 0, "--epochs ", o.epochs, " and --steps ", o.steps, ": give one of the two");
  HV_CHECK_USAGE(o.epochs > 0 || o.steps > 0 || o.minutes > 0, "nothing to do: give --epochs, --steps or --minutes");
  HV_CHECK_USAGE(o.min_lr <= o.lr, "--min-lr: ", o.min_lr, " is above --lr ", o.lr);
  HV_CHECK_USAGE(o.warmup_steps <= 0 || o.epochs > 0 || o.steps > 0,
                 "--warmup-steps: a run limited by --minutes alone has no steps to count; use --warmup");
}

}  // namespace hv::train
