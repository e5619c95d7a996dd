// Scores of pictures with several labels each: one yes or no per label ("findings").
//
// Metrics, with K labels and p = sigmoid(logit)
//   auroc   the mean of the labels' AUROC; it decides best.ckpt     map    the mean of their average precision
//   loss    binary cross-entropy, the mean over pictures and labels, without weights
//   brier   the labels' mean Brier score                            ece    their mean calibration error
//   labels  how many labels auroc and map are the mean of: those with a positive and a negative picture
//   auroc_<label>                                                   of one label (label_keys)
// With ScoreOptions::choose also thresholds that are best for F1 (ranking.h), as probabilities.
// With ScoreOptions::details also auroc_low and auroc_high, the ends of the 95 % interval, and per label positives_<label>,
// auroc_<label>_low, auroc_<label>_high and ap_<label>; with thresholds f1_<label> and threshold_<label>, and their mean f1.
//
// Invariants
//   1. AUROC, average precision and F1 of a label without a positive or without a negative picture are not available (NaN).
//      Means are over the labels that have a value.
//   2. Intervals: a bootstrap of 1,000 resamples of groups (patients), if the data has groups. If not, DeLong's for a label,
//      and a bootstrap of pictures for the mean.
//   3. A logit that is NaN ranks as the worst possible answer (ranking.h), and makes loss, brier and ece NaN.
//   4. Targets other than 0 and 1 are an error (Fault::failure).
#pragma once

#include "train/scores/scorer.h"

namespace hv::train {

// What everybody who sees such numbers must read.
inline constexpr const char* kNoMedicalDevice =
    "This is no medical device: numbers of a program for teaching, not for decisions about patients.";

std::unique_ptr<Scorer> make_findings_scorer(const data::Dataset& dataset, const ScoreOptions& options);

// Names of labels as parts of metrics' names: letters, digits, '-' and '_' stay, any other byte becomes '_'. No two labels, and
// no label and an end "_low" or "_high" of another one, get the same name: a number is appended ("Mass_2").
std::vector<std::string> label_keys(const std::vector<std::string>& labels);

}  // namespace hv::train
