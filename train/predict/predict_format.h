// What predict prints: a table for people, CSV, JSON and JSON lines for programs. Written as the pictures come, so a folder of
// any size needs no more memory than a batch.
//
//   table  one width: the most probable classes; several: a column a width with its most probable class
//   csv    image,heads,rank,class,probability: a line a class. Quoted as RFC 4180 says; lines end in "\n", as in summary.csv
//   jsonl  a line an image and width: {"image", "heads", "classes": [{"class", "probability"}]}, or {"image", "error"}
//   json   the same in one object: {"results": [...], "errors": [...]}
// Thread rule: one thread uses an object.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/predict/predict.h"

namespace hv::train {

class PredictFormat {
 public:
  virtual ~PredictFormat() = default;
  virtual std::string begin() { return ""; }
  virtual std::string add(const Outcome& outcome) = 0;
  virtual std::string end() { return ""; }
};

const std::vector<std::string>& predict_formats();  // "table", "csv", "json", "jsonl"
std::unique_ptr<PredictFormat> make_predict_format(const std::string& name, const std::vector<models::Subnet>& widths,
                                                   const std::vector<std::string>& class_names,
                                                   const std::vector<ImagePath>& images);
std::string csv_field(const std::string& text);

}  // namespace hv::train
