#include "train/report/report.h"

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "train/file.h"
#include "train/options.h"
#include "train/progress.h"
#include "train/report/charts.h"
#include "train/report/html.h"

namespace hv::train {
namespace {

class Report {
 public:
  Report(const Runs& runs, const std::string& pictures) : runs_(runs), run_(runs[0]), page_(concat("Run ", run_.name)), pictures_(pictures) {}

  std::string make() {
    about();
    accuracy();
    curves();
    draws();
    time();
    return page_.finish();
  }

 private:
  void figure(const std::string& name, const std::string& drawing, const std::string& caption) {
    write_file(join_path(pictures_, name + ".svg"), drawing + "\n");
    page_.figure(drawing, caption);
  }

  std::string why(const std::string& file) const {
    const auto found = run_.problems.find(file);
    return found == run_.problems.end() ? file : found->second;
  }

  void about() {
    page_.section("run", "The run");
    if (!run_.header) {
      page_.missing("No checkpoint, so nothing is known of the run's options and model: " + why("checkpoint") + ".");
      return;
    }
    const Header& header = *run_.header;
    const auto of = [](const auto& map, const char* name) {
      const auto found = map.find(name);
      return found == map.end() ? concat("?") : concat(found->second);
    };
    const auto seconds = header.metrics.find("seconds");
    std::vector<std::vector<std::string>> rows = {{"what", "value"}};
    rows.push_back({"model", concat(of(header.options, "preset"), ", ", run_.widths.size(), run_.widths.size() == 1 ? " width" : " widths")});
    rows.push_back({"data", concat(of(header.provenance, "data"), ", ", of(header.provenance, "data_images"), " training images, checksum ",
                                   of(header.provenance, "data_checksum"))});
    rows.push_back({"length", concat(of(header.counters, "step"), " steps, ", of(header.counters, "images"), " images",
                                     seconds == header.metrics.end() ? "" : ", " + format_duration(seconds->second) + " of training")});
    if (run_.events && !run_.events->ending.empty()) rows.push_back({"ending", run_.events->ending});
    for (const auto& [name, value] : header.provenance) {
      if (name.rfind("data", 0) != 0 || name == "data_source") rows.push_back({name, value});
    }
    page_.table(rows, true);
    page_.text("The command that repeats it:");
    page_.code(command(header));
    rows = {{"option", "value"}};
    for (const auto& [name, value] : header.options) {
      if (!value.empty()) rows.push_back({name, value});
    }
    page_.fold("Every option as resolved", rows);
    rows = {{"model", "value"}};
    for (const auto& [name, value] : header.model) rows.push_back({name, value});
    page_.fold("The model's configuration", rows);
  }

  // Those options alone that differ from the defaults, and the seed.
  static std::string command(const Header& header) {
    TrainOptions defaults;
    std::string text = "hydravit train";
    for (const Field& field : train_fields(defaults)) {
      const auto stored = header.options.find(field.name);
      if (stored == header.options.end() || stored->second.empty() || field.name == "out" || field.name == "stop-after") continue;
      if (stored->second == field.get() && field.name != "seed" && field.name != "preset") continue;
      if (field.flag) {
        text += " --" + field.name;
        continue;
      }
      std::string quoted = "'";
      for (const char c : stored->second) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
      const bool plain = stored->second.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,/") == std::string::npos;
      text += concat(" --", field.name, " ", plain ? stored->second : quoted + "'");
    }
    return text;
  }

  void accuracy() {
    page_.section("accuracy", "Accuracy against cost");
    if (!run_.summary || run_.widths.empty()) {
      page_.missing("No accuracy to show: " + (run_.summary ? why("checkpoint") : why("summary.csv")) + ".");
      return;
    }
    const std::vector<double>* images = run_.summary->find("images");
    page_.text(concat("One set of weights, run at each of its widths. Measured on ", images ? images->back() : 0, " test images."));
    const char* labels = "Each point is a width, its number of heads beside it; up and to the left is better.";
    figure("accuracy-macs", svg(accuracy_chart(runs_, Cost::macs)), labels);
    figure("accuracy-parameters", svg(accuracy_chart(runs_, Cost::params)), labels);
    if (run_.images_per_second.empty()) {
      page_.missing("No accuracy against speed, which is measured while training: " + why("events.jsonl") + ".");
    } else {
      figure("accuracy-speed", svg(accuracy_chart(runs_, Cost::images_per_second)),
             "The same against the speed measured on this run's machine; up and to the right is better.");
    }
    page_.table(accuracy_table(runs_));
  }

  void curves() {
    page_.section("curves", "Over the steps");
    if (!run_.events && !run_.summary) {
      page_.missing("No curves: " + why("events.jsonl") + "; " + why("summary.csv") + ".");
      return;
    }
    if (!run_.events || run_.events->logs.empty()) {
      page_.text("Only the evaluations of summary.csv are drawn: " + (run_.events ? "events.jsonl holds no steps" : why("events.jsonl")) + ".");
    }
    figure("loss", svg(loss_chart(runs_)), "Mean loss of the steps since the point before. Lower is better; narrow widths usually stay above wide ones.");
    figure("learning-rate", svg(learning_rate_chart(runs_)), "What the update of each step is multiplied by.");
    figure("test-accuracy", svg(test_chart(runs_)), "On the test images of --eval-limit, live weights; higher is better.");
  }

  void draws() {
    page_.section("draws", "How often each width was drawn");
    const std::optional<Draws> draws = draws_chart(run_);
    if (!draws) {
      page_.missing("Not known: " + (run_.events ? "events.jsonl holds no steps" : why("events.jsonl")) + ".");
      return;
    }
    figure("draws", svg(draws->bars), "Bars: steps that ran at this width. Lines: how many were asked for.");
    char text[200];
    std::snprintf(text, sizeof text, "Chi-square %.2f over %lld steps, p = %.3f: %s.", draws->chi_square, static_cast<long long>(draws->steps),
                  draws->p, draws->p >= 0.01 ? "as even as chance would have it" : "chance alone would rarely be as uneven");
    page_.text(text);
  }

  void time() {
    page_.section("time", "Where the time goes");
    const std::optional<Bars> bars = time_chart(run_);
    if (!bars) {
      page_.missing("Not measured: " + (run_.events ? "events.jsonl holds no times" : why("events.jsonl")) + ".");
      return;
    }
    figure("time", svg(*bars), "Shares of the wall time of training steps; they sum to 100 %.");
  }

  const Runs& runs_;
  const RunData& run_;
  Page page_;
  std::string pictures_;
};

}  // namespace

std::string write_report(const ReportOptions& options) {
  Runs runs = {read_run(options.folder)};
  for (const std::string& other : options.compare) {
    runs.push_back(read_run(other));
    for (size_t i = 0; i + 1 < runs.size(); ++i) {
      if (runs[i].name == runs.back().name) runs.back().name = other;
    }
  }
  const std::string pictures = join_path(options.folder, "report"), page = options.out.empty() ? join_path(options.folder, "report.html") : options.out;
  std::error_code error;
  std::filesystem::create_directories(pictures, error);
  HV_CHECK(!error, pictures, ": cannot make folder: ", error.message(), "; make ", options.folder, " writable");
  write_file(page, Report(runs, pictures).make());
  return page;
}

}  // namespace hv::train
