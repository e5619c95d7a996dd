// hydravit lr-find: which learning rate? A short ramp on the options of a training to come; leaves nothing behind but --out.
#include "train/start/lr_find.h"

#include <cstdio>

#include "train/commands/commands.h"
#include "train/draw/plot.h"
#include "train/files/file.h"
#include "train/io/interrupt.h"
#include "train/io/json.h"
#include "train/io/memory.h"
#include "train/start/first_weights.h"
#include "train/start/model_choice.h"
#include "train/start/output.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

struct LrFindArguments {
  TrainOptions options;
  double low = 1e-7, high = 10;
  int64_t steps = 100;
  std::string out;
  bool json = false, force = false;
};

std::string curve_csv(const LrCurve& curve) {
  std::string text = "step,lr,loss,smoothed_loss\n";
  char line[128];
  for (size_t i = 0; i < curve.points.size(); ++i) {
    const LrPoint& p = curve.points[i];
    std::snprintf(line, sizeof line, "%zu,%.6g,%.6f,%.6f\n", i, p.lr, p.loss, p.smooth);
    text += line;
  }
  return text;
}

std::string curve_json(const LrCurve& curve, const LrSuggestions& suggestions) {
  Json results = Json::empty_list();
  for (const LrPoint& p : curve.points) results.push({{"lr", p.lr}, {"loss", p.loss}, {"smoothed_loss", p.smooth}});
  return Json{
      {"steepest", suggestions.steepest}, {"valley", suggestions.valley}, {"stopped", curve.stopped}, {"results", results}}
      .text();
}

std::string curve_svg(const LrCurve& curve, const LrSuggestions& suggestions) {
  Series raw{"loss of a step", group_colour(1), {}, -1}, smooth{"smoothed", group_colour(0), {}, -1};
  double least = curve.points[0].smooth, most = least;
  for (const LrPoint& p : curve.points) {
    least = std::min(least, p.smooth);
    most = std::max(most, p.smooth);
  }
  const double top = std::max(curve.points[0].smooth, least) * 1.25;  // the plot may be cut where training diverges
  for (const LrPoint& p : curve.points) {
    if (p.loss <= top) raw.points.push_back({p.lr, p.loss});
    if (p.smooth <= top) smooth.points.push_back({p.lr, p.smooth});
  }
  raw.line = false;
  raw.marker = 0;
  Chart chart{"Learning-rate range test",
              concat("Training loss against the learning rate; steepest fall at ", suggestions.steepest,
                     ", middle of the valley at ", suggestions.valley),
              {"learning rate", true},
              {"training loss"},
              {raw, smooth},
              {{suggestions.steepest, "steepest"}, {suggestions.valley, "valley"}}};
  return svg(chart);
}

int run_lr_find(LrFindArguments& a, bool preset_given) {
  TrainOptions& o = a.options;
  const bool picture = a.out.ends_with(".svg");
  HV_CHECK_USAGE(a.out.empty() || picture || a.out.ends_with(".csv"), "--out: '", a.out, "' ends in neither .svg nor .csv");
  HV_CHECK_USAGE(a.low < a.high, "--low: ", a.low, " is not below --high ", a.high);
  o.steps = a.steps;  // the schedule is the ramp
  take_model(o, preset_given);
  check_options(o);
  check_model(o);
  if (!a.out.empty()) check_output({"--out", a.out, picture ? FileKind::svg : FileKind::curve, a.force});
  const InterruptScope listening;
  const Prepared p = prepare(o);
  o.ema = 0;
  Stepper stepper(*p.model, *p.train, o, make_recipe(o, *p.model, p.subnets));
  p.model->train();
  p.model->zero_grad();
  const LrCurve curve = lr_ramp(stepper, a.low, a.high, a.steps, [] { return interrupted() != 0; });
  if (interrupted() != 0) return 128 + interrupted();
  const LrSuggestions suggestions = suggest_lr(curve);
  if (!a.out.empty()) write_file(a.out, picture ? curve_svg(curve, suggestions) : curve_csv(curve));
  if (a.json) {
    std::printf("%s\n", curve_json(curve, suggestions).c_str());
    return 0;
  }
  std::printf("%10s %10s %10s\n", "lr", "loss", "smoothed");
  const size_t every = std::max<size_t>(1, curve.points.size() / 20);
  for (size_t i = 0; i < curve.points.size(); i += every) {
    std::printf("%10.2e %10.4f %10.4f\n", curve.points[i].lr, curve.points[i].loss, curve.points[i].smooth);
  }
  std::printf("%zu of %lld steps%s%s\n", curve.points.size(), static_cast<long long>(a.steps),
              curve.stopped.empty() ? "" : "; stopped: ", curve.stopped.c_str());
  std::printf("--lr %.2g   where the loss falls fastest\n--lr %.2g   the middle of its valley\n", suggestions.steepest,
              suggestions.valley);
  return 0;
}

}  // namespace

Command lr_find_command() {
  const auto a = std::make_shared<LrFindArguments>();
  // The options of a training that change a step.
  Fields fields;
  const Fields all = train_fields(a->options);
  for (const char* name : {"preset",      kSubnetsOption, kNamesOption,   "recipe",   "data",      "kind",      "batch-size",
                           "grad-accum",  "optimizer",    "weight-decay", "momentum", "clip-grad", "smoothing", "drop-path",
                           "dropout",     "active-only",  "init",         "augment",  "mixup",     "cutmix",    "erase",
                           "randaugment", "shuffle",      "train-limit",  "seed",     "threads",   "precision"}) {
    fields.push_back(*find_field(all, name));
  }
  for (const RecipeKind& kind : recipe_kinds()) {
    for (const Field& field : kind.options(a->options)) {
      if (!find_field(fields, field.name)) fields.push_back(field);
    }
  }
  fields.insert(fields.end(), {{"low", &a->low, "first learning rate", 1e-12, 1e3},
                               {"high", &a->high, "last learning rate", 1e-12, 1e6},
                               {"steps", &a->steps, "from the first to the last", 20, 10000},
                               memory_field(),
                               {"out", &a->out, "the curve as a picture (.svg) or a table (.csv)"},
                               {"force", &a->force, "replace a file of another kind, or the input", 0, 0, {}, true},
                               {"json", &a->json, "machine-readable output", 0, 0, {}, true}});
  return {"lr-find", "which learning rate to train with", std::move(fields), {}, [a](const std::set<std::string>& given) {
            return run_lr_find(*a, given.contains("preset"));
          }};
}

}  // namespace hv::train
