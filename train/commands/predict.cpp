// hydravit predict: the most probable classes of image files, at one width or several, and what the decisions drew on.
#include "train/predict/predict.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <utility>

#include "train/answers/drawing.h"
#include "train/answers/thresholds.h"
#include "train/cascade/options.h"
#include "train/cascade/predict.h"
#include "train/commands/commands.h"
#include "train/files/file.h"
#include "train/io/memory.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/predict/need.h"
#include "train/predict/predict_format.h"
#include "train/predict/widths.h"
#include "train/scores/findings.h"
#include "train/start/output.h"
#include "train/start/setup.h"
#include "train/state/load.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBatch = 64;

struct PredictArguments {
  std::vector<std::string> checkpoint, images;
  WidthChoice width;
  CascadeChoice cascade;
  std::string threshold, format = "table", out, explain, labels;
  int64_t topk = 3, threads = 0;
  bool ema = false, json = false, force = false;
};

// What can be refused before anything is loaded.
void check_arguments(PredictArguments& a, const std::set<std::string>& given) {
  check_choice(a.width, given);
  if (given.contains("cascade") || given.contains("threshold")) when_again(given, a.threshold, a.width.budget_macs);
  HV_CHECK_USAGE(!a.json || !given.contains("format") || a.format == "json", "--json and --format ", a.format,
                 ": give one of the two");
  if (a.json) a.format = "json";
  HV_CHECK_USAGE(!given.contains("explain") || a.explain.ends_with(".png"), "--explain: '", a.explain,
                 "' does not end in .png; a PNG is what is written");
  HV_CHECK_USAGE(!given.contains("labels") || given.contains("explain"), "--labels: only --explain draws labels; give it, too");
  HV_CHECK_USAGE(a.out.empty() || a.out != a.explain, "--out and --explain: ", a.out, " can hold only one of the two");
}

// A result never replaces one of the pictures it was made from.
void check_target(const Wanted& wanted, const std::vector<ImagePath>& images) {
  const std::string &option = wanted.option, &path = wanted.path;
  if (path.empty()) return;
  for (const ImagePath& image : images) {
    std::error_code ignored;
    HV_CHECK_USAGE(!fs::equivalent(path, image.path, ignored), option, ": ", path,
                   " is one of the pictures to look at; name another file");
  }
  check_output(wanted);
}

// Standard output, or a file that appears when it is complete.
class Output {
 public:
  explicit Output(const std::string& path) : file_(path.empty() ? nullptr : std::make_unique<AtomicFile>(path)) {}
  void write(const std::string& text) {
    if (file_) return file_->write(text.data(), text.size());
    const std::string shown = isatty(STDOUT_FILENO) ? printable_lines(text) : text;  // CSV holds names as they are
    const bool good = std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size() && std::fflush(stdout) == 0;
    HV_CHECK(good, "standard output: cannot write: ", std::strerror(errno));
  }
  void finish() {
    if (file_) file_->commit();
  }

 private:
  std::unique_ptr<AtomicFile> file_;
};

int run_predict(PredictArguments& a, const std::set<std::string>& given) {
  check_arguments(a, given);
  start_compute(a.threads);
  const Loaded loaded = load_model(a.checkpoint.at(0), a.ema);
  data::LeftOut left_out;
  const std::vector<ImagePath> images = find_images(a.images, std::cin, &left_out);
  for (const std::string& note : left_out.notes("NOTICE")) say(note);
  HV_CHECK_USAGE(a.explain.empty() || images.size() <= kMostExplained, "--explain: ", images.size(), " pictures; at most ",
                 kMostExplained, " fit into one PNG: name fewer");
  // A table of one width begins with the first picture.
  check_target({"--out", a.out, FileKind::predictions, a.force, a.checkpoint, printable(images[0].path) + "  "}, images);
  check_target({"--explain", a.explain, FileKind::png, a.force, a.checkpoint}, images);
  const bool mean_budget = given.contains("budget-macs") && loaded.model->continues();
  const std::optional<Cascade> cascade = chosen_cascade(a.cascade, given, *loaded.model,
                                                        given.contains("threshold") ? "--threshold"
                                                        : mean_budget               ? "--budget-macs"
                                                                                    : "");
  const std::vector<models::Subnet> widths = cascade ? cascade->stages : chosen_widths(a.width, loaded, a.ema);
  const bool answers = loaded.model->independent();
  std::optional<std::string> labels;
  if (given.contains("labels")) labels = a.labels;
  Drawing drawing;
  if (!a.explain.empty()) drawing = drawing_of(*loaded.model, loaded.header, labels, images.size(), widths.size());
  const std::vector<std::string>& names = loaded.header.class_names;
  const int64_t most = drawing.by_label ? 1 : kBatch;
  const auto batch = static_cast<size_t>(
      cascade ? cascade_batch(loaded.path, *loaded.model, *cascade, kBatch)
              : fitting_batch(loaded.path, loaded.model->config(), widths, most, drawing.pass(), drawing.bytes));
  if (answers && !given.contains("topk")) a.topk = loaded.model->classes();  // each has an answer of its own
  const Thresholds thresholds = thresholds_in(loaded.header, *loaded.model, widths, a.ema);
  if (answers) {
    const std::string missing = missing_thresholds(thresholds, widths, names);
    if (!missing.empty()) say(missing);
    say(kNoMedicalDevice);
  }
  const Predictor predictor(*loaded.model, loaded.header, widths, a.topk, drawing.any, thresholds);
  std::optional<LabelExplainer> explainer;
  if (drawing.by_label) explainer.emplace(*loaded.model, loaded.header, widths, thresholds, a.topk, drawing.labels);

  Output output(a.out);
  const auto format = make_predict_format(a.format, widths, names, images, cascade ? cascade->measure.name() : "", answers);
  std::vector<Outcome> explained;
  std::string first_problem, text;
  size_t problems = 0;
  const auto take = [&](const Outcome& outcome) {
    text += format->add(outcome);
    if (outcome.problem.empty()) return;
    if (problems++ == 0) first_problem = outcome.image;
    say(outcome.problem);
  };
  std::optional<CascadePredictor> in_turn;
  if (cascade) {
    in_turn.emplace(predictor, *loaded.model, *cascade, when_again(given, a.threshold, a.width.budget_macs),
                    static_cast<int64_t>(batch), take);
  }
  output.write(format->begin());
  for (size_t begin = 0; begin < images.size(); begin += batch) {
    const auto some = std::span(images).subspan(begin, std::min(batch, images.size() - begin));
    if (in_turn) {
      in_turn->look(some);
    } else {
      std::vector<Outcome> outcomes;
      if (explainer) {
        outcomes.push_back(explainer->look(some[0]));  // batch is 1
      } else {
        outcomes = predictor.look(some);
      }
      for (const Outcome& outcome : outcomes) take(outcome);
      if (drawing.any) std::move(outcomes.begin(), outcomes.end(), std::back_inserter(explained));
    }
    output.write(std::exchange(text, ""));
  }
  if (in_turn) {
    const std::string ending = in_turn->finish();
    output.write(text);
    say(ending);
  }
  output.write(format->end());
  output.finish();
  if (drawing.any && problems < images.size()) {
    const std::vector<uint8_t> png = data::encode_png(drawing.picture(explained, widths));
    write_file(a.explain, {png.begin(), png.end()});
    say(concat(a.explain, ": ", drawing.legend(widths)));
  }
  HV_CHECK_INPUT(problems == 0, "predict: ", problems, " of ", images.size(), " pictures could not be read, the first is ",
                 first_problem, problems < images.size() ? "; the others are done" : "");
  return 0;
}

}  // namespace

Command predict_command() {
  const auto a = std::make_shared<PredictArguments>();
  Fields fields = a->width.fields();
  fields.insert(fields.end(),
                {
                    {"topk", &a->topk, "classes to show; findings: default all", 1, 1000},
                    {"explain", &a->explain, "draw what each width pays attention to into this PNG, a row a picture"},
                    {"labels", &a->labels,
                     "draw with --explain what speaks for each of these, as Mass,Nodule; findings: default the most probable"},
                    {"format", &a->format, "of the results", 0, 0, predict_formats()},
                    {"json", &a->json, "the same as --format json", 0, 0, {}, true},
                    {"out", &a->out, "file for the results; default: standard output"},
                    {"force", &a->force, "replace a file of another kind, or the input", 0, 0, {}, true},
                    {"threads", &a->threads, "cores to use; 0: all", 0, 1024},
                    {"ema", &a->ema, "use the averaged weights", 0, 0, {}, true},
                    memory_field(),
                });
  add_fields(fields, "cascade", a->cascade.fields({"threshold", &a->threshold, "where an answer is sure enough"}));
  return {"predict",
          "classes of pictures",
          std::move(fields),
          {{"CKPT", "checkpoint or run folder", &a->checkpoint},
           {"IMAGE", "PNG, JPEG, WebP, GIF or BMP files, folders of them, or - for a list of paths on standard input",
            &a->images, true}},
          [a](const std::set<std::string>& given) { return run_predict(*a, given); }};
}

}  // namespace hv::train
