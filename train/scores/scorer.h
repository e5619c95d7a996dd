// What an evaluation measures: a scorer computes named metrics from the logits of a model and the labels of the data. A data
// set names its scorer (Dataset::scorer). A new scorer is a class and a row of scorer_kinds().
// Thread rule: one thread uses a scorer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/loader.h"
#include "models/elastic.h"

namespace hv::train {

struct Metric {
  std::string name;        // "top1": part of keys and of column names, so without commas and spaces
  std::string title;       // "top-1": as tables show it
  double value = 0;        // NaN: not available, "n/a" in tables
  int digits = 2;          // after the decimal point in tables; files have two more
  bool summary = true;     // whether summary.csv has a column for it
  std::string label = {};  // the one label that it is about, as the data set calls it; "": the whole
};

struct Result {
  models::Subnet subnet;
  int64_t params = 0, macs = 0, images = 0;
  std::vector<Metric> metrics;  // the first decides best.ckpt; a larger value is better
  double images_per_second = 0;
  std::string note = {}, warning = {};           // of the scorer
  std::vector<double> thresholds = {};           // of the scorer, too
  double metric(const std::string& name) const;  // NaN if there is no metric of that name
};

struct ScoreOptions {
  bool details = false;                 // also what takes time or space: intervals, a table per label
  std::vector<double> thresholds = {};  // one per label, as probabilities: "yes" from there on; empty: no metric needs any
  uint64_t seed = 0;                    // of what is drawn
  bool choose = false;                  // thresholds on these images: Scorer::thresholds
};

class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual void add(const Tensor& logits, const data::Batch& batch) = 0;  // contiguous logits [B, classes] of the next B images
  // Over all images added so far. Metrics with `summary` are the same ones, in the same order, with and without details.
  virtual std::vector<Metric> metrics() const = 0;
  // With ScoreOptions::choose: the thresholds that suit these images best, one per label, NaN where there is none. Empty if
  // there is nothing to choose.
  virtual std::vector<double> thresholds() const { return {}; }
  virtual std::string note() const { return ""; }     // what a reader of the numbers must know, in one line
  virtual std::string warning() const { return ""; }  // what everybody must read who sees any of the numbers, in one line
};

struct ScorerKind {
  std::string name;  // the value of Dataset::scorer()
  std::function<std::unique_ptr<Scorer>(const data::Dataset&, const ScoreOptions&)> make;
};
std::vector<ScorerKind>& scorer_kinds();
// The scorer of a data set. An unknown name is an error that lists the known ones.
std::unique_ptr<Scorer> make_scorer(const data::Dataset& dataset, const ScoreOptions& options = {});

}  // namespace hv::train
