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
  std::string name;   // "top1": part of keys and of column names, so without commas and spaces
  std::string title;  // "top-1": as tables show it
  double value = 0;
  int digits = 2;       // after the decimal point in tables; files have two more
  bool summary = true;  // whether summary.csv has a column for it
};

struct Result {
  models::Subnet subnet;
  int64_t params = 0, macs = 0, images = 0;
  std::vector<Metric> metrics;  // the first decides best.ckpt; a larger value is better
  double images_per_second = 0;
  double metric(const std::string& name) const;  // NaN if there is no metric of that name
};

class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual void add(const Tensor& logits, const data::Batch& batch) = 0;  // contiguous logits [B, classes] of the next B images
  virtual std::vector<Metric> metrics() const = 0;                       // over all images added so far
};

struct ScorerKind {
  std::string name;  // the value of Dataset::scorer()
  std::function<std::unique_ptr<Scorer>()> make;
};
std::vector<ScorerKind>& scorer_kinds();
std::unique_ptr<Scorer> make_scorer(const std::string& name);  // an unknown name is an error that lists the known ones

}  // namespace hv::train
