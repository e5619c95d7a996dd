// The formats in which predictions are printed: a table for people; CSV, JSON and JSON lines for programs. Each picture is
// printed when its batch is ready, so a folder of any size needs no more memory than a batch.
//
//   table  a line per image. With one width it has the most probable classes; with several, a column per width with its most
//          probable class
//   csv    a line per class: image, a column per axis ("heads"), rank, class, probability. Fields are quoted as in RFC 4180,
//          but lines end in "\n", as in summary.csv. A text that a spreadsheet would take for a formula (it begins with = + - @
//          or a tab, and is no number) has an apostrophe before it
//   jsonl  a line per image and subnetwork: {"image", a member per axis ("heads"), "classes": [{"class", "probability"}]},
//          or {"image", "error"} for a picture that cannot be read
//   json   the same objects in one: {"results": [...], "errors": [...]}
// Of labels that do not exclude each other, each has an answer: in the table "yes" or "no" behind it, with several widths a
// line per image and width of those that are "yes"; in CSV the columns threshold and answer; in JSON "threshold" and "answer".
// A cascade has one prediction per image, by the width that answered; beside the width stands how sure it was.
// Thread rule: one thread uses an object.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/predict/predict.h"

namespace hv::train {

// Each function returns the text to print: begin() once, add() per picture, end() once.
class PredictFormat {
 public:
  virtual ~PredictFormat() = default;
  virtual std::string begin() { return ""; }
  virtual std::string add(const Outcome& outcome) = 0;
  virtual std::string end() { return ""; }
};

const std::vector<std::string>& predict_formats();  // "table", "csv", "json", "jsonl"
// `class_names` and `images` decide the widths of the columns of the table. `sureness` is the name of a cascade's measure, else
// "". `answers`: labels do not exclude each other. An unknown format is an error (Fault::failure).
std::unique_ptr<PredictFormat> make_predict_format(const std::string& name, const std::vector<models::Subnet>& widths,
                                                   const std::vector<std::string>& class_names,
                                                   const std::vector<ImagePath>& images, const std::string& sureness = "",
                                                   bool answers = false);
std::string csv_field(const std::string& text);  // quoted if it has to be (RFC 4180, section 2), and no formula

}  // namespace hv::train
