// Scores of several labels per picture, as the scorer gives them and as train, eval and the files of a run show them.
#include <doctest/doctest.h>

#include "data/open.h"
#include "tests/error_of.h"
#include "tests/seam/seam.h"
#include "train/log/label_table.h"
#include "train/scores/calibration.h"
#include "train/scores/findings.h"
#include "train/scores/intervals.h"

namespace hv::train {
namespace {

using test::error_of;

// Shapes of 64 pixels with four labels, of which nobody has the last one; two pictures per patient.
struct FourLabels : data::Dataset {
  explicit FourLabels(const data::DatasetPtr& shapes) : of(shapes) {
    name_ = "fourlabels";
    class_names_ = {"even", "low number, or \"so\"", "low", "none"};
    height_ = width_ = 64;
  }
  int64_t size() const override { return of->size(); }
  int64_t label(int64_t) const override { return -1; }
  void target(int64_t i, Real* row) const override {
    const int64_t shape = of->label(i);
    const bool has[] = {shape % 2 == 0, shape < 5, shape == 3, false};
    std::copy(std::begin(has), std::end(has), row);
  }
  int64_t group(int64_t i) const override { return i / 2; }
  std::string scorer() const override { return "findings"; }
  void image(int64_t i, uint8_t* chw) const override {  // every pixel four times
    std::vector<uint8_t> small(3 * 32 * 32);
    of->image(i, small.data());
    for (size_t at = 0; at < 3 * 64 * 64; ++at) chw[at] = small[at / 128 * 32 + at % 64 / 2];
  }
  std::string checksum() const override { return of->checksum(); }
  data::DatasetPtr of;
};

struct NoPositives : FourLabels {
  using FourLabels::FourLabels;
  void target(int64_t, Real* row) const override { std::fill_n(row, classes(), 0); }
};

const struct Rows {
  Rows() {
    const auto shapes = [](const data::Source& source, data::Split split) {
      return data::open({source.data, "cifar10"}, split);
    };
    data::data_kinds().push_back(
        {"fourlabels", [=](auto& source, auto split) { return std::make_shared<FourLabels>(shapes(source, split)); }});
    data::data_kinds().push_back(
        {"nopositives", [=](auto& source, auto split) { return std::make_shared<NoPositives>(shapes(source, split)); }});
  }
} rows;

struct Named : data::Dataset {  // labels alone
  explicit Named(const std::vector<std::string>& labels) { class_names_ = labels; }
  int64_t size() const override { return 0; }
  int64_t label(int64_t) const override { return -1; }
  std::string scorer() const override { return "findings"; }
  void image(int64_t, uint8_t*) const override {}
  std::string checksum() const override { return ""; }
};

double metric(const std::vector<Metric>& metrics, const std::string& name) {
  return Result{{}, 0, 0, 0, metrics, 0, ""}.metric(name);
}
std::string names_of(const std::vector<Metric>& metrics) {
  std::string names;
  for (const Metric& one : metrics) names += one.name + (one.summary ? "! " : " ");
  return names;
}

}  // namespace

TEST_CASE(
    "findings: the scorer's metrics are those of its parts, over all batches, with a number for each label that has one") {
  const Named dataset({"A b", "C"});
  data::Batch batch;
  ScoreOptions options;
  options.details = true;
  options.thresholds = {0.5, 0.25};
  options.seed = 4;
  const auto plain = make_scorer(dataset), full = make_scorer(dataset, options);
  Stream stream(3, Purpose::test);
  std::vector<double> logits, groups;
  std::vector<uint8_t> targets;
  std::vector<int64_t> patients;
  for (int64_t b = 0; b < 4; ++b) {
    const Tensor x = Tensor::normal({10, 2}, 0, 1, stream);
    batch.targets = Tensor::zeros({10, 2});
    batch.groups.clear();
    for (int64_t i = 0; i < 10; ++i) {
      batch.targets.mutable_data()[2 * i] = (b * 10 + i) % 3 == 0;  // nobody has "C"
      batch.groups.push_back(700 - (b * 10 + i) / 4);
      logits.push_back(static_cast<double>(x.data()[2 * i]));
      targets.push_back((b * 10 + i) % 3 == 0);
      patients.push_back((b * 10 + i) / 4);
    }
    plain->add(x, batch);
    full->add(x, batch);
  }
  const std::vector<Metric> few = plain->metrics(), all = full->metrics();
  CHECK(names_of(few) == "auroc! map! loss! brier ece labels auroc_A_b auroc_C ");
  CHECK(
      names_of(all) ==
      "auroc! auroc_low auroc_high map! loss! brier ece f1 labels positives_A_b auroc_A_b auroc_A_b_low auroc_A_b_high ap_A_b "
      "f1_A_b threshold_A_b positives_C auroc_C auroc_C_low auroc_C_high ap_C f1_C threshold_C ");
  const Ranking ranking = rank(logits, targets);
  const Bootstrap drawn = bootstrap_auroc({ranking}, patients, 4);
  CHECK(metric(all, "auroc") == auroc(ranking));
  CHECK(metric(all, "map") == average_precision(ranking));
  CHECK(metric(all, "f1") == f1_at(ranking, 0));  // probability 0.5 is logit 0
  CHECK((metric(all, "auroc_A_b_low") == drawn.labels[0].low && metric(all, "auroc_high") == drawn.mean.high));
  CHECK((metric(all, "labels") == 1 && metric(all, "positives_A_b") == 14 && metric(all, "positives_C") == 0));
  for (const char* name : {"auroc_C", "auroc_C_low", "ap_C", "f1_C"}) CHECK(std::isnan(metric(all, name)));
  for (const Metric& one : few) {
    if (!std::isnan(one.value)) CHECK(one.value == metric(all, one.name));
  }
  CHECK(full->note() ==
        "low, high: 95 % interval of AUROC, from 1000 resamples of the 10 patients; means of AUROC and AP "
        "are over 1 of 2 labels, those with positive and negative pictures");
  CHECK(plain->note().empty());

  // Thresholds that were chosen on the same pictures give the best F1 of all.
  std::vector<double> probabilities;
  for (const double logit : logits) probabilities.push_back(probability(logit));
  const double chosen = choose_thresholds(probabilities, targets, 1)[0];
  CHECK(f1_at(rank(probabilities, targets), chosen) == f1_at(ranking, best_threshold(ranking)));

  const auto alone = make_scorer(dataset, options);  // without patients: DeLong
  batch.groups.clear();
  alone->add(Tensor::from({1, 0, 2, 0, 0, 0, 3, 0}, {4, 2}),
             (batch.targets = Tensor::from({1, 0, 0, 0, 0, 0, 1, 0}, {4, 2}), batch));
  CHECK(metric(alone->metrics(), "auroc_A_b_low") ==
        delong_interval(rank(std::vector<double>{1, 2, 0, 3}, std::vector<uint8_t>{1, 0, 0, 1})).low);
  CHECK(alone->note() ==
        "low, high: 95 % interval of AUROC, by DeLong; of means, from 1000 resamples of the 4 pictures; "
        "means of AUROC and AP are over 1 of 2 labels, those with positive and negative pictures");
  CHECK(std::isnan(metric(make_scorer(dataset, options)->metrics(), "auroc")));  // nothing added
}

TEST_CASE("findings: names of labels in metrics are safe and unique; bad targets and options are errors") {
  CHECK(label_keys({"Pleural Thickening", "a,b", "a.b", "low", "Mass_low", "Mass", "\xC3\xA9"}) ==
        std::vector<std::string>{"Pleural_Thickening", "a_b", "a_b_2", "low_2", "Mass_low", "Mass_2", "__"});
  const Named dataset({"A"});
  data::Batch batch;
  batch.targets = Tensor::full({1, 1}, 0.5);
  CHECK(error_of([&] {
          make_scorer(dataset)->add(Tensor::zeros({1, 1}), batch);
        }) == "findings: the target of A must be 0 or 1: 0.5");
  CHECK(error_of([&] { make_scorer(dataset, {true, {0.5, 0.5}, 0}); }) == "findings: 2 thresholds for 1 labels");
}

TEST_CASE("findings: tables of labels for the widest and the narrowest alone, names cut, numbers that are missing") {
  const auto result = [](const char* name, int64_t macs) {
    Result r{{name, name, 0, {}}, 1, macs, 5, {{"auroc", "AUROC", 0.5, 4, true, ""}}, 0, "a note"};
    r.metrics.push_back({"positives_x", "positives", 3, 0, false, "a label of a great many letters, more than fit\n"});
    r.metrics.push_back({"auroc_x", "AUROC", 0.25, 4, false, r.metrics.back().label});
    r.metrics.push_back({"positives_y", "positives", 0, 0, false, "y"});
    r.metrics.push_back({"auroc_y", "AUROC", std::nan(""), 4, false, "y"});
    return r;
  };
  const std::vector<Result> three = {result("middle", 20), result("wide", 30), result("narrow", 10)};
  CHECK(shown_by_label(three, 1) == std::vector<size_t>{1, 2});
  CHECK(shown_by_label(three, 3) == std::vector<size_t>{0, 1, 2});
  const std::string table =
      "label                             positives    AUROC\n"
      "a label of a great many letters~          3   0.2500\n"
      "y                                         0      n/a\n";
  CHECK(label_table(three[0]) == table);
  CHECK(label_tables(three) == "\nwide, 5 images\n" + table + "\nnarrow, 5 images\n" + table + "a note\n");
  CHECK(label_tables({three[0]}) == "\nmiddle, 5 images\n" + table + "a note\n");
}

TEST_CASE("findings: train, eval, its JSON and the files of a run show several labels") {
  const trainer_fixtures::Threads threads;
  const trainer_fixtures::Folder folder;
  crash_fixtures::write_records(folder / "data", 64, 40);
  const std::string run = folder / "run";
  const std::string said = seam::run(
      folder, concat("train --data ", folder / "data", " --kind fourlabels --preset branches-nano --heads 2,6 --steps 2 ",
                     "--batch-size 16 --eval-every 1 --ema 0 --report off --threads 1 --out ", run));
  CHECK(seam::has(said, "AUROC"));
  const std::string all = seam::run(folder, "eval --threads 1 " + run),
                    one = seam::run(folder, "eval --heads 2 --threads 1 " + run);
  INFO(all);
  const auto count = [](const std::string& text, const std::string& part) {
    int64_t times = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
    return times;
  };
  CHECK((count(all, "low number, or \"so\"") == 2 && count(one, "low number, or \"so\"") == 1));
  CHECK((seam::has(all, "\nheads=6, 40 images\nlabel") && seam::has(all, "\nheads=2, 40 images\nlabel")));
  CHECK(seam::has(all, "low, high: 95 % interval of AUROC, from 1000 resamples of the 20 patients; means"));
  CHECK((seam::has(all, "n/a") && !seam::has(all, "nan")));
  CHECK((seam::has(all, kNoMedicalDevice) && seam::has(said, kNoMedicalDevice)));
  const std::string json = seam::run(folder, "eval --json --threads 1 " + run);
  CHECK((count(json, "\"auroc_low_number__or__so__low\":0.") == 2 && count(json, "\"auroc_none\":null") == 2));
  const std::string summary = test::slurp(join_path(run, "summary.csv")), events = test::slurp(join_path(run, "events.jsonl"));
  CHECK(seam::has(summary, ",auroc_heads2,auroc_heads6,map_heads2,"));
  CHECK((seam::has(events, "\"auroc_even_low\":0.") && seam::has(events, "\"auroc_none\":null")));
  CHECK(!seam::has(summary + events, "nan"));

  // These data have no validation pictures: thresholds are those of the checkpoint, if it carries some.
  CHECK(!seam::has(all, "thresholds: "));
  Checkpoint checkpoint = load_checkpoint(join_path(run, "last.ckpt"));
  checkpoint.header.metrics["threshold_even.heads=2"] = 0.4375;
  save_checkpoint(folder / "with.ckpt", checkpoint.header, checkpoint.tensors);
  const std::string with = seam::run(folder, concat("eval --threads 1 ", folder / "with.ckpt"));
  CHECK(seam::has(with, concat("thresholds: those of ", folder / "with.ckpt", ", for these data have no validation pictures")));
  CHECK((count(with, "0.4375\n") == 1 && count(with, " F1") == 3 && count(with, "n/a\n") == 7));
}

TEST_CASE("findings: a run whose test images have no positive has scores n/a, and no best state") {
  const trainer_fixtures::Threads threads;
  const trainer_fixtures::Folder folder;
  crash_fixtures::write_records(folder / "data", 16, 8);
  const std::string run = folder / "run";
  const std::string said =
      seam::run(folder, concat("train --data ", folder / "data", " --kind nopositives --preset branches-nano --heads 2 ",
                               "--steps 1 --batch-size 8 --report off --tensorboard on --threads 1 --out ", run));
  CHECK((seam::has(said, "AUROC n/a (mean n/a); EMA AUROC n/a") && !seam::has(said, "nan")));
  CHECK((file_exists(join_path(run, "last.ckpt")) && !file_exists(join_path(run, "best.ckpt"))));
  CHECK(load_checkpoint(join_path(run, "last.ckpt")).header.metrics.count("auroc.heads=2") == 0);
  CHECK(!seam::has(test::slurp(join_path(run, "summary.csv")), "nan"));
}

}  // namespace hv::train
