#include "train/predict/predict_format.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "train/io/json.h"
#include "train/io/numbers.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

size_t characters(const std::string& text) {  // of UTF-8: the number of bytes that begin a character
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, characters(text)), ' ');
}

std::string prediction_json(const Prediction& p, const std::string& sureness) {
  Json classes = Json::empty_list();
  for (size_t i = 0; i < p.classes.size(); ++i) {
    Json one{{"class", p.classes[i].first}, {"probability", p.classes[i].second}};
    if (!p.thresholds.empty()) one.add("threshold", p.thresholds[i]).add("answer", p.yes(i));
    classes.push(one);
  }
  Json json = Json{{"image", p.image}}.append(axes_json(p.subnet));
  if (!sureness.empty()) json.add(sureness, p.sureness);
  return json.add("classes", classes).text();
}

std::string problem_json(const std::string& image, const std::string& problem) {
  return Json{{"image", image}, {"error", problem}}.text();
}

class Table : public PredictFormat {
 public:
  Table(const std::vector<models::Subnet>& widths, const std::vector<std::string>& class_names,
        const std::vector<ImagePath>& images, const std::string& sureness)
      : widths_(widths), sureness_(sureness) {
    for (const ImagePath& image : images)
      image_column_ = std::max(image_column_, std::min<size_t>(100, characters(image.path)));
    for (const std::string& name : class_names) class_column_ = std::max(class_column_, std::min<size_t>(20, characters(name)));
    class_column_ = std::max(class_column_ + 7, widths.back().label.size()) + 2;  // 7: " 100.0%", 2: space between columns
  }
  std::string begin() override {
    if (one()) return "";
    std::string line = padded("image", image_column_) + "  ";
    for (const models::Subnet& width : widths_) line += padded(width.label, class_column_);
    return trimmed(line);
  }
  std::string add(const Outcome& outcome) override {
    if (!outcome.problem.empty()) return "";
    std::string line = padded(printable(outcome.image), image_column_) + "  ";
    if (one()) {
      const Prediction& prediction = outcome.predictions[0];
      line += prediction.subnet.label + " ";
      if (!sureness_.empty()) line += sureness_ + print(" %.3f ", prediction.sureness);
      for (const auto& guess : prediction.classes) line += "  " + cell(guess);
    } else {
      for (const Prediction& prediction : outcome.predictions) line += padded(cell(prediction.classes.at(0)), class_column_);
    }
    return trimmed(line);
  }

 private:
  bool one() const { return widths_.size() == 1 || !sureness_.empty(); }  // one prediction per image
  static std::string cell(const std::pair<std::string, double>& guess) {
    return printable(guess.first) + print(" %.1f%%", 100 * guess.second);
  }
  static std::string trimmed(std::string line) {
    line.resize(line.find_last_not_of(' ') + 1);
    return line + "\n";
  }
  std::vector<models::Subnet> widths_;
  std::string sureness_;
  size_t image_column_ = 5, class_column_ = 0;
};

// Labels that do not exclude each other.
class AnswerTable : public PredictFormat {
 public:
  AnswerTable(const std::vector<models::Subnet>& widths, const std::vector<ImagePath>& images) : one_(widths.size() == 1) {
    for (const ImagePath& image : images)
      image_column_ = std::max(image_column_, std::min<size_t>(100, characters(image.path)));
    for (const models::Subnet& width : widths) width_column_ = std::max(width_column_, characters(width.label));
  }
  std::string add(const Outcome& outcome) override {
    std::string lines;
    for (const Prediction& p : outcome.predictions) {
      std::string line = padded(printable(p.image), image_column_) + "  " + padded(p.subnet.label, width_column_) + " ", labels;
      for (size_t i = 0; i < p.classes.size(); ++i) {
        if (!one_ && !p.yes(i)) continue;
        labels += concat("  ", printable(p.classes[i].first), print(" %.1f%%", 100 * p.classes[i].second));
        if (one_) labels += p.yes(i) ? " yes" : " no";
      }
      lines += line + (labels.empty() ? "  none" : labels) + "\n";
    }
    return lines;
  }

 private:
  bool one_;  // all labels with their answers; else those that are "yes"
  size_t image_column_ = 0, width_column_ = 0;
};

class Csv : public PredictFormat {
 public:
  Csv(const models::Subnet& like, const std::string& sureness, bool answers) : sureness_(sureness), answers_(answers) {
    for (const models::Axis& axis : like.axes) axes_ += axis.chosen ? "," + axis.name : "";
  }
  std::string begin() override {
    return concat("image", axes_, sureness_.empty() ? "" : "," + sureness_, ",rank,class,probability",
                  answers_ ? ",threshold,answer\n" : "\n");
  }
  std::string add(const Outcome& outcome) override {
    std::string lines;
    for (const Prediction& p : outcome.predictions) {
      std::string axes;
      for (const models::Axis& axis : p.subnet.axes) axes += axis.chosen ? "," + axis_text(axis) : "";
      if (!sureness_.empty()) axes += print(",%.9g", p.sureness);
      for (size_t i = 0; i < p.classes.size(); ++i) {
        lines += concat(csv_field(p.image), axes, ",", i + 1, ",", csv_field(p.classes[i].first),
                        print(",%.9g", p.classes[i].second));  // nine digits determine a float
        if (answers_) lines += print(",%.9g", p.thresholds[i]) + (p.yes(i) ? ",yes" : ",no");
        lines += "\n";
      }
    }
    return lines;
  }

 private:
  std::string axes_;  // names of the columns of the axes
  std::string sureness_;
  bool answers_;
};

class JsonLines : public PredictFormat {
 public:
  explicit JsonLines(const std::string& sureness) : sureness_(sureness) {}
  std::string add(const Outcome& outcome) override {
    if (!outcome.problem.empty()) return problem_json(outcome.image, outcome.problem) + "\n";
    std::string lines;
    for (const Prediction& prediction : outcome.predictions) lines += prediction_json(prediction, sureness_) + "\n";
    return lines;
  }

 private:
  std::string sureness_;
};

class OneJson : public PredictFormat {
 public:
  explicit OneJson(const std::string& sureness) : sureness_(sureness) {}
  std::string begin() override { return "{\"results\":["; }
  std::string add(const Outcome& outcome) override {
    if (!outcome.problem.empty()) errors_ += (errors_.empty() ? "\n" : ",\n") + problem_json(outcome.image, outcome.problem);
    std::string items;
    for (const Prediction& prediction : outcome.predictions) {
      items += (any_ ? ",\n" : "\n") + prediction_json(prediction, sureness_);
      any_ = true;
    }
    return items;
  }
  std::string end() override { return "],\n\"errors\":[" + errors_ + "]}\n"; }

 private:
  bool any_ = false;
  std::string errors_, sureness_;
};

}  // namespace

std::string csv_field(const std::string& text) {
  double number = 0;
  const bool formula = text.find_first_of("=+-@\t\r") == 0 && !(parse_number(text, number) && std::isfinite(number));
  if (!formula && text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = formula ? "\"'" : "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

const std::vector<std::string>& predict_formats() {
  static const std::vector<std::string> names = {"table", "csv", "json", "jsonl"};
  return names;
}

std::unique_ptr<PredictFormat> make_predict_format(const std::string& name, const std::vector<models::Subnet>& widths,
                                                   const std::vector<std::string>& class_names,
                                                   const std::vector<ImagePath>& images, const std::string& sureness,
                                                   bool answers) {
  if (name == "csv") return std::make_unique<Csv>(widths.at(0), sureness, answers);
  if (name == "json") return std::make_unique<OneJson>(sureness);
  if (name == "jsonl") return std::make_unique<JsonLines>(sureness);
  HV_CHECK(name == "table", "predict: unknown format ", name);
  if (answers) return std::make_unique<AnswerTable>(widths, images);
  return std::make_unique<Table>(widths, class_names, images, sureness);
}

}  // namespace hv::train
