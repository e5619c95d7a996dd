#include "train/findings/section.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "train/findings/charts.h"
#include "train/findings/extremes.h"
#include "train/io/print.h"
#include "train/scores/calibration.h"
#include "train/scores/findings.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

constexpr size_t kRows = 100, kDrawn = 14;  // labels in the table; in charts and pictures
constexpr size_t kPictures = 4;             // per label: found, missed, false alarms
constexpr int64_t kSide = 64;               // the larger side of a picture: there are many

class Section {
 public:
  Section(Page& page, const Judged& judged, const data::Dataset& test, const Figure& figure, const Tiles& tiles)
      : page_(page), judged_(judged), test_(test), figure_(figure), tiles_(tiles), drawn_(most_frequent(judged, kDrawn)) {}

  void scores(const Loaded& loaded, const data::Dataset* validation) {
    const bool some = std::ssize(judged_.pictures) < test_.size();
    const auto step = loaded.header.counters.find("step");
    page_.text(concat("Evaluated for this report: ", some ? "" : "all ", judged_.pictures.size(),
                      some ? concat(" of ", test_.size()) : "", " test pictures", some ? ", a sample," : "",
                      judged_.patients > 0 ? concat(" of ", judged_.patients, " patients") : "", ", by the live weights of ",
                      std::filesystem::path(loaded.path).filename().string(),
                      step == loaded.header.counters.end() ? "" : concat(" at step ", step->second), ", at ", widest(),
                      judged_.averaged ? "; one column is the AUROC of the averaged weights." : "."));
    page_.text(
        concat("AUROC: how probable it is that a picture with the finding has a higher probability than one without it; ",
               "0.5 is chance. AP: average precision. n/a: the test pictures have no positive or no negative one. ",
               judged_.best().note, ". ", f1_text(validation)));
    page_.table(score_rows(judged_, most_frequent(judged_, kRows)));
    if (drawn_.size() < judged_.labels.size()) {
      page_.text(concat("Drawn below: the ", drawn_.size(), " of ", judged_.labels.size(),
                        " findings with most positive pictures. The table lists at most ", kRows, "."));
    }
  }

  void charts(const std::vector<double>& mixing) {
    const bool several = judged_.results.size() > 1;
    figure_("findings-roc", svg(roc_panels(judged_, drawn_)),
            concat("Thin line: chance. AUROC of ", widest(),
                   several ? concat("; after it that of ", subnet_text(judged_.results[0].subnet)) : "", "."));
    if (several) {
      figure_("findings-widths", svg(width_chart(judged_, drawn_)), "Live weights. Higher is better; thick: the mean.");
    }
    if (drawn_.size() > 1) {
      const std::vector<Matrix> both = together_matrices(judged_, drawn_);
      std::vector<std::string> names;
      for (const size_t k : drawn_) names.push_back(judged_.labels[k]);
      figure_("findings-together", svg(both.at(0), names),
              "Of the pictures with the finding of a row, how many also have that of a column.");
      figure_(
          "findings-together-predicted", svg(both.at(1), names),
          concat("The same by the probabilities p at ", widest(), ": the sum over all pictures of p(row) p(column), divided ",
                 "by the sum of p(row). Both matrices have one scale of colours."));
    }
    figure_("findings-reliability", svg(reliability_chart(judged_)),
            concat("All findings together, at ", widest(), "; beside a point, how many probabilities it is the mean of. ",
                   "Calibration error, the mean over the findings: ", score_text(judged_.best().metric("ece")), "."));
    if (std::ssize(mixing) == test_.classes()) {
      figure_("findings-mixing", svg(mixing_bars(judged_, drawn_, mixing)),
              "A finding's probability is this share of its own branch's, and the rest from the head that sees all findings.");
    }
  }

  void pictures() {
    page_.heading("The best and the worst pictures of each finding");
    page_.text(concat("By the probability at ", widest(), ": number, probability, and what the picture has."));
    for (const size_t k : drawn_) {
      const Extremes most = extremes(judged_.widest[k], judged_.targets[k], kPictures);
      const std::string name = print("finding-%02d-%.40s", static_cast<int>(k + 1), judged_.keys[k].c_str());
      page_.folded(concat(judged_.labels[k], ": AUROC ", score_text(judged_.of(judged_.best(), "auroc", k))), [&] {
        row("Found: with the finding, the highest probabilities", name + "-found", k, most.found);
        row("Missed: with the finding, the lowest", name + "-missed", k, most.missed);
        row("False alarms: without the finding, the highest", name + "-false", k, most.false_alarms);
      });
    }
  }

 private:
  std::string widest() const { return subnet_text(judged_.best().subnet); }

  std::string f1_text(const data::Dataset* validation) const {
    if (judged_.validation > 0) {
      return concat("F1: at the threshold that is best on the ", judged_.validation, " validation pictures.");
    }
    if (!validation) return "No F1: the data have no validation pictures to choose thresholds on.";
    return concat("No F1: ", validation->size(), " validation pictures are too many for a report; see `hydravit eval`.");
  }

  void row(const std::string& title, const std::string& name, size_t label, const std::vector<size_t>& pictures) {
    page_.text(concat(title, pictures.empty() ? ": no picture." : "."));
    std::vector<Tile> row;
    for (const size_t i : pictures) row.push_back({picture(judged_.pictures[i]), caption(i, label)});
    tiles_(name, row, static_cast<int64_t>(kPictures));
  }

  data::Image picture(int64_t number) const {
    data::Image image{test_.height(), test_.width(), std::vector<uint8_t>(static_cast<size_t>(test_.image_bytes()))};
    test_.image(number, image.chw.data());
    const int64_t larger = std::max(image.height, image.width);
    if (larger <= kSide) return image;
    const auto side = [&](int64_t pixels) { return std::max<int64_t>(1, pixels * kSide / larger); };
    return data::resize_image(image, side(image.height), side(image.width));
  }

  std::string caption(size_t i, size_t label) const {
    std::string has;
    for (size_t k = 0; k < judged_.labels.size(); ++k) {
      if (judged_.targets[k][i]) has += (has.empty() ? "" : ", ") + judged_.labels[k];
    }
    const double p = probability(judged_.widest[label][i]);
    return concat("#", judged_.pictures[i], " ", std::isfinite(p) ? print("%.1f\u00a0%%", 100 * p) : "n/a", ": ",
                  has.empty() ? "no finding" : has);
  }

  Page& page_;
  const Judged& judged_;
  const data::Dataset& test_;
  const Figure& figure_;
  const Tiles& tiles_;
  std::vector<size_t> drawn_;
};

}  // namespace

bool about_findings(const RunData& run, const data::Dataset* test) {
  return test ? test->scorer() == "findings" : run.metric() == "auroc";
}

void begin_findings(Page& page) {
  page.section("findings", "What it says of each finding");
  page.text(kNoMedicalDevice);
}

void add_findings(Page& page, const RunData& run, Loaded& loaded, const data::Dataset& test, const data::Dataset* validation,
                  const Figure& figure, const Tiles& tiles) {
  const Judged judged = judge(loaded, run.held, run.subnets(), test, validation);
  Section section(page, judged, test, figure, tiles);
  section.scores(loaded, validation);
  section.charts(loaded.model->mixing());
  section.pictures();
}

}  // namespace hv::train
