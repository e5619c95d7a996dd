#include "train/report/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "train/cascade/twice.h"
#include "train/draw/html.h"
#include "train/files/file.h"
#include "train/findings/section.h"
#include "train/report/about.h"
#include "train/report/add_accuracy.h"
#include "train/report/charts.h"
#include "train/report/pictures.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

class Report {
 public:
  Report(Runs& runs, const OpenFolder& pictures, const std::vector<int64_t>& wanted)
      : runs_(runs), run_(runs[0]), page_(concat("Run ", run_.name)), pictures_(pictures), wanted_(wanted) {}

  std::string make() {
    try {
      images_.emplace(run_);
      if (images_->one_label() &&
          (!run_.predictions || run_.images_per_second.empty())) {  // the run did not keep them, so they are computed here
        Table some = images_->predict(kSome, run_.images_per_second);
        if (!run_.predictions) {
          run_.predictions = std::move(some);
          predicted_here_ = true;
        }
      }
    } catch (const Error& error) {
      no_images_ = error.what();
    }
    add_about(page_, run_);
    const Figure draw = [this](const auto& name, const auto& drawing, const auto& caption) { figure(name, drawing, caption); };
    add_accuracy(page_, draw, runs_, images_ ? &images_->test() : nullptr, no_images_);
    add_structure(page_, run_, draw);
    const bool about_labels = about_findings(run_, images_ ? &images_->test() : nullptr);
    if (about_labels) findings(draw);
    curves();
    draws();
    if (!about_labels) errors();
    twice();
    looks();
    survivors();
    data();
    time();
    return page_.finish();
  }

 private:
  void figure(const std::string& name, const std::string& drawing, const std::string& caption) {
    write_file(pictures_ / (name + ".svg"), drawing + "\n");
    page_.figure(drawing, caption);
  }

  std::string why(const std::string& file) const { return run_.why(file); }

  void curves() {
    page_.section("curves", "Over the steps");
    if (!run_.events && !run_.summary) {
      page_.missing("No curves: " + why("events.jsonl") + "; " + why("summary.csv") + ".");
      return;
    }
    if (run_.events && run_.events->skipped > 0) {
      page_.missing(concat("events.jsonl: ", run_.events->skipped, " lines are longer than an event can be and are left out."));
    }
    if (!run_.events || run_.events->logs.empty()) {
      page_.text("Only the evaluations of summary.csv are drawn: " +
                 (run_.events ? "events.jsonl holds no steps" : why("events.jsonl")) + ".");
    }
    figure(
        "loss", svg(loss_chart(runs_)),
        "Mean loss of the steps since the point before. Lower is better; narrow widths usually stay above wide ones." + few());
    figure("learning-rate", svg(learning_rate_chart(runs_)), "What the update of each step is multiplied by.");
    figure("test-accuracy", svg(test_chart(runs_)),
           "On the test images of --eval-limit, or before the end on validation images where the data have them; live weights; "
           "higher is better." +
               few());
  }

  // What is said where only a few of the subnetworks are shown.
  std::string few() const {
    const std::vector<models::Subnet> subnets = run_.subnets();
    if (!grouped_views(subnets).several_axes()) return "";
    return concat(" Of the subnetworks, only those that differ in ", first_axis_name(subnets.back()), " alone are shown.");
  }

  void draws() {
    page_.section("draws", "How often each width was drawn");
    const std::optional<Draws> draws = draws_chart(run_);
    if (!draws) {
      page_.missing("Not known: " + (run_.events ? "events.jsonl holds no steps" : why("events.jsonl")) + ".");
      return;
    }
    for (size_t i = 0; i < draws->bars.size(); ++i) {
      figure(i == 0 ? "draws" : concat("draws-", i + 1), svg(draws->bars[i]),
             draws->bars.size() == 1 ? "Bars: steps that ran at this width. Lines: how many were asked for."
                                     : "Bars: passes at this value, whatever the other axes. Lines: how many were asked for.");
    }
    char text[200];
    std::snprintf(text, sizeof text, "Chi-square %.2f over %lld steps, p = %.3f: %s.", draws->chi_square,
                  static_cast<long long>(draws->steps), draws->p,
                  draws->p >= 0.01 ? "as even as chance would have it" : "chance alone would rarely be as uneven");
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

  void tiles(const std::string& name, const std::vector<Tile>& tiles, int64_t columns) {
    if (tiles.empty()) return;
    std::vector<data::Image> images;
    for (const Tile& tile : tiles) images.push_back(tile.image);
    const std::vector<uint8_t> png = data::encode_png(data::mosaic(images, columns));
    write_file(pictures_ / (name + ".png"), {png.begin(), png.end()});
    page_.tiles(tiles, concat("report/", name, ".png"));
  }

  // Runs a part that needs images. If it cannot be drawn, the page states the reason in its place.
  template <class Part>
  void with_images(Part part) {
    if (!images_) return page_.missing("No images: " + no_images_ + ".");
    try {
      part();
    } catch (const Error& error) {
      if (error.fault() != Fault::input) throw;  // a picture that cannot be written ends the report
      page_.missing(concat("Not shown: ", error.what(), "."));
    }
  }

  void findings(const Figure& draw) {
    begin_findings(page_);
    with_images([&] {
      const Tiles show = [this](const auto& name, const auto& pictures, int64_t columns) { tiles(name, pictures, columns); };
      add_findings(page_, run_, images_->loaded(), images_->test(), images_->validation().get(), draw, show);
    });
  }

  void errors() {
    page_.section("errors", "What it gets wrong");
    if (!run_.predictions || !run_.header || run_.widths.empty()) {
      page_.missing(concat("No predictions: ", why("predictions.csv"), no_images_.empty() ? "" : "; " + no_images_, "."));
      return;
    }
    if (predicted_here_) {
      page_.text(concat("On ", images_->first_images(*run_.predictions) ? "the first " : "", run_.predictions->rows(),
                        " test images, evaluated for this report: ", why("predictions.csv"), "."));
    }
    const models::Subnet& widest = run_.widths.back().subnet;
    const std::vector<std::string>& names = run_.header->class_names;
    try {
      const Confusion confused = confusion(*run_.predictions, widest, static_cast<int64_t>(names.size()));
      const std::string drawing = svg(confused, names, "Confusion matrix of the width with " + subnet_text(widest));
      if (drawing.empty()) {
        page_.missing(concat("No confusion matrix: ", names.size(), " classes are too many to draw."));
      } else {
        figure("confusion", drawing, "Each row is a true class, each column what it was taken for; the diagonal is right.");
      }
      std::vector<std::vector<std::string>> rows = {{"true class", "taken for", "times"}};
      for (const Confusion::Pair& pair : confused.pairs) {
        rows.push_back(
            {names[static_cast<size_t>(pair.label)], names[static_cast<size_t>(pair.predicted)], concat(pair.count)});
      }
      page_.heading("Most confused");
      page_.table(rows, true);
    } catch (const Error& error) {
      if (error.fault() != Fault::input) throw;
      page_.missing(concat("Not shown: ", error.what(), "."));
    }
    page_.heading("The worst test images");
    page_.text("Those with the largest loss at the widest width: number, true class, what it was taken for and how surely.");
    with_images([&] { tiles("worst", images_->worst(*run_.predictions, 24), 8); });
  }

  // Only for models of several widths whose data have one label per image.
  void twice() {
    if (run_.widths.size() < 2 || !run_.header || (images_ && !images_->one_label())) return;
    page_.section("twice", "Looking twice");
    if (!run_.predictions) return page_.missing("No predictions: " + why("predictions.csv") + ".");
    with_images([&] {
      const Twice twice = looking_twice(run_, images_->continues());
      page_.text(
          "A narrow width looks first; only if it is not sure, a wider one looks again. Computed from the predictions for the "
          "test images, so thresholds and pair are chosen on the images they are judged on. Sure is a confidence (the largest "
          "probability) of at least the threshold; the entropy, which eval --cascade takes, needs logits that a run does not "
          "keep.");
      if (twice.stages() < run_.widths.size()) {
        page_.text(
            concat("Only ", twice.stages(), " subnetworks take part: some on the Pareto front over MACs, and the last."));
      }
      figure("twice", svg(twice.chart()), "Lines: from never to always looking again. Up and to the left is better.");
      for (const Twice::Curve& curve : twice.curves()) {
        page_.heading(twice.name(curve));
        page_.table(twice.shares(curve));
      }
      page_.heading("Which classes are looked at again");
      page_.text(concat(twice.name(twice.curves()[0]), ", where about half of all images are looked at again."));
      page_.table(twice.classes(twice.curves()[0], run_.header->class_names, 10));
      const models::Subnet& first = twice.first();
      page_.heading("Easy and hard images");
      page_.text("Those of which the narrowest width is surest and right, then those of which it is least sure.");
      for (const bool hard : {false, true}) {
        tiles(hard ? "hardest" : "easiest", images_->show(*run_.predictions, twice.surest(8, hard), first), 8);
      }
    });
  }

  void looks() {
    page_.section("looks", "What each width looks at");
    with_images([&] {
      const bool chosen = wanted_.empty();
      const std::vector<int64_t> indices = chosen ? chosen_images(6) : wanted_;
      page_.text(concat(
          "Attention rollout: how much of each patch reaches the classifier, from dark blue (least) through red to light "
          "yellow (most), on one scale for all widths of an image. Below: what the width says and how surely.",
          chosen && run_.predictions
              ? " The images: three that every width gets right, then three that the widest does and the narrowest does "
                "not, as far as there are such."
              : "",
          few()));
      for (const int64_t index : indices) {
        const RunImages::Look look = images_->look(index);
        if (look.tiles.empty()) return page_.missing("This model cannot tell what it looks at.");
        page_.heading(look.heading);
        tiles(concat("look-", index), look.tiles, static_cast<int64_t>(look.tiles.size()));
      }
    });
  }

  // Only for models that choose tokens.
  void survivors() {
    const std::vector<models::Subnet> strongest = run_.header ? strongest_pruning(run_) : std::vector<models::Subnet>{};
    if (strongest.empty()) return;
    page_.section("survivors", "Which patches survive");
    page_.text("Some blocks go on with those patches alone that matter most. What is dropped by then is dark.");
    with_images([&] {
      for (const models::Subnet& subnet : strongest) {
        page_.heading(subnet_text(subnet));
        for (const int64_t index : wanted_.empty() ? chosen_images(6) : wanted_) {
          const std::vector<Tile> stages = images_->survivors(index, subnet);
          tiles(concat("survivors-", subnet.name, "-", index), stages, std::ssize(stages));
        }
      }
    });
  }

  // Without predictions nothing is known of the images, so the first ones serve.
  std::vector<int64_t> chosen_images(size_t count) const {
    if (run_.predictions) return images_->choose(*run_.predictions, count);
    std::vector<int64_t> first;
    while (first.size() < count && std::ssize(first) < images_->test_images()) first.push_back(std::ssize(first));
    return first;
  }

  void data() {
    page_.section("data", "What it is trained on");
    page_.text("The first training images of the run as it saw them, with its random changes and the labels it was asked for.");
    with_images([&] { tiles("training-images", images_->augmented(24), 8); });
  }

  static constexpr int64_t kSome = 1000;  // test images that are evaluated here if the run kept no predictions

  Runs& runs_;
  RunData& run_;
  Page page_;
  OpenFolder pictures_;
  std::vector<int64_t> wanted_;
  std::optional<RunImages> images_;
  std::string no_images_;  // why there are no images; empty if there are
  bool predicted_here_ = false;
};

void keep_widths(RunData& run, const SubnetChoice& choice) {
  if (run.widths.empty()) return;
  std::vector<models::Subnet> all;
  for (const WidthCost& width : run.widths) all.push_back(width.subnet);
  const std::vector<models::Subnet> kept = choose_subnets(all, choice, "the run; it was trained for ");
  std::erase_if(run.widths, [&](const WidthCost& width) {
    return std::none_of(kept.begin(), kept.end(), [&](const models::Subnet& one) { return one.id == width.subnet.id; });
  });
}

}  // namespace

std::string write_report(const ReportOptions& options) {
  Runs runs = {options.held ? read_run(options.held) : read_run(options.folder)};
  keep_widths(runs[0], options.subnets);
  for (const std::string& other : options.compare) {
    runs.push_back(read_run(other));
    for (size_t i = 0; i + 1 < runs.size(); ++i) {
      if (runs[i].name == runs.back().name) runs.back().name = other;
    }
  }
  const OpenFolder& folder = runs[0].held;
  const OpenFolder pictures = folder.made("report");
  remove_stale_files(pictures);
  remove_stale_files(folder, "report.html");  // a training may be writing the others
  const Place page = options.out.empty() ? folder / "report.html" : Place(options.out);
  write_file(page, Report(runs, pictures, options.images).make());
  return page.text();
}

}  // namespace hv::train
