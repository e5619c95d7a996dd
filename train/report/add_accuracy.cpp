#include "train/report/add_accuracy.h"

#include "train/structure/before.h"
#include "train/structure/speed.h"
#include "train/subnets.h"
#include "train/views/views.h"

namespace hv::train {
namespace {

class Accuracy {
 public:
  // `measured`: how speeds were.
  Accuracy(Page& page, const Figure& figure, const Runs& runs, const std::string& no_images, const std::string& measured)
      : page_(page), figure_(figure), runs_(runs), run_(runs[0]), no_images_(no_images), measured_(measured) {}

  void add() {
    const bool fronts = several_axes(runs_);
    for (size_t i = 1; i < runs_.size(); ++i) {
      const std::string hurdle = incomparable(run_, runs_[i]);
      if (!hurdle.empty()) page_.missing(concat(runs_[i].name, ": ", hurdle, "."));
    }
    fronts ? draw_fronts() : draw_lines();
    if (fronts) page_.heading("Every subnetwork by its first axis, then by MACs; the front is that over MACs");
    page_.table(accuracy_table(runs_));
  }

 private:
  // Of a model's only subnetwork, its name in the legend says all.
  std::string labels() const {
    for (const RunData& run : runs_) {
      if (run.widths.size() > 1) {
        return concat("Each point is a width, its number of ", run.widths[0].subnet.axes.at(0).name,
                      " beside it; up and to the left is better.");
      }
    }
    return "Up and to the left is better.";
  }

  void draw_lines() {
    figure_("accuracy-macs", svg(accuracy_chart(runs_, Cost::macs)), labels());
    figure_("accuracy-parameters", svg(accuracy_chart(runs_, Cost::params)), labels());
    if (run_.images_per_second.empty()) return no_speed();
    figure_("accuracy-speed", svg(accuracy_chart(runs_, Cost::images_per_second)),
            concat("The same against the speed measured ", measured_, "; up and to the right is better."));
  }

  void draw_fronts() {
    for (const Cost cost : {Cost::macs, Cost::images_per_second}) {
      if (cost != Cost::macs && run_.images_per_second.empty()) return no_speed();
      const auto& [contest, rivals, words] = fronts_of(runs_, cost);
      page_.text(gain_sentence(contest, words));
      for (const Contest& rival : rivals) page_.text(rival_sentence(contest, rival, words));
      figure_(
          cost == Cost::macs ? "accuracy-macs" : "accuracy-speed", svg(front_chart(contest, rivals, words)),
          concat("Each point is a subnetwork; up and to the left is better. Faint: another one costs no more and is at least "
                 "as good. Labels: ",
                 chosen_axes_text(contest.subnets.back()), "."));
      page_.heading(concat("The best within a budget, and its ", chosen_axes_text(contest.subnets.back())));
      page_.table(budget_table(contest, rivals, words), true);
    }
  }

  void no_speed() { page_.missing("No accuracy against speed: " + run_.why("events.jsonl") + "; " + no_images_ + "."); }

  Page& page_;
  const Figure& figure_;
  const Runs& runs_;
  const RunData& run_;
  const std::string &no_images_, &measured_;
};

}  // namespace

void add_accuracy(Page& page, const Figure& figure, const Runs& runs, const data::Dataset* test, const std::string& no_images) {
  const RunData& run = runs[0];
  page.section("accuracy", "Accuracy against cost");
  if (!run.summary || run.widths.empty()) {
    page.missing("No accuracy to show: " + (run.summary ? run.why("checkpoint") : run.why("summary.csv")) + ".");
    return;
  }
  const std::vector<double>* images = run.summary->find("images");
  const std::string subnetworks = several_axes(runs) ? concat(run.widths.size(), " subnetworks") : "widths";
  page.text(concat(run.widths.size() > 1 ? "One set of weights, run at each of its " + subnetworks + ". " : "", "Measured on ",
                   images ? images->back() : 0, " test images."));
  const Before before = before_training(run, test, no_images);
  if (!before.missing.empty()) page.missing(concat("The model before this training is not shown: ", before.missing, "."));
  if (!before.run) {
    const std::string measured = run.events ? "while training" : "for this report, on 1000 images";
    return Accuracy(page, figure, runs, no_images, measured).add();
  }
  Runs all = runs;
  std::vector<RunData*> timed;
  for (RunData& each : all) timed.push_back(&each);
  const std::string measured = concat("for this report, all runs in turn, ", measure_in_turn(timed), " images at a time");
  all.push_back(*before.run);
  all.back().images_per_second = all[0].images_per_second;
  page.text(concat(all.back().name, ": the model with the weights that this training began with, evaluated for this report on ",
                   before.images, " test images; as fast as after it, because the model is the same."));
  Accuracy(page, figure, all, no_images, measured).add();
}

}  // namespace hv::train
