#include "data/findings/table.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/check.h"
#include "data/files.h"
#include "data/findings/csv.h"

namespace hv::data {
namespace {

constexpr int64_t kMostBytes = int64_t{64} << 20;
constexpr size_t kMostLabels = 1000;
constexpr std::string_view kNoFinding = "No Finding";
constexpr std::array<std::string_view, 14> kNihLabels = {
    "Atelectasis", "Cardiomegaly", "Effusion",           "Infiltration",  "Mass",
    "Nodule",      "Pneumonia",    "Pneumothorax",       "Consolidation", "Edema",
    "Emphysema",   "Fibrosis",     "Pleural_Thickening", "Hernia"};

using Cells = std::vector<std::string_view>;
constexpr size_t kNone = ~size_t{0};

class TableParser {
 public:
  TableParser(std::string_view text, const std::string& name) : csv_(text, name) { table_.name = name; }

  FindingsTable parse() {
    Cells cells;
    HV_CHECK_INPUT(csv_.next(cells), table_.name,
                   ": empty: expected a line with the names of columns, then a line per picture");
    read_header(cells);
    while (csv_.next(cells)) read_row(cells);
    HV_CHECK_INPUT(table_.rows() > 0, table_.name, ": no rows: expected a line per picture below the names of columns");
    HV_CHECK_INPUT(!numbers_.empty(), table_.name, ": no labels: every row is ", kNoFinding, ", so there is nothing to learn");
    sort_labels();
    for (int64_t i = 0; i < table_.rows(); ++i) table_.row_of.emplace(table_.pictures[static_cast<size_t>(i)], i);
    return std::move(table_);
  }

 private:
  void read_header(const Cells& cells) {
    const auto find = [&](std::string_view wanted) {
      const auto found = std::find(cells.begin(), cells.end(), wanted);
      return found == cells.end() ? kNone : static_cast<size_t>(found - cells.begin());
    };
    findings_ = find("Finding Labels");
    patient_ = std::min(find("Patient ID"), find("patient"));
    picture_ = findings_ == kNone ? 0 : find("Image Index");
    HV_CHECK_INPUT(picture_ != kNone, table_.name, ": no column 'Image Index', which names the pictures: found the columns ",
                   shown_list(cells));
    if (findings_ != kNone) return;
    HV_CHECK_INPUT(patient_ != 0, csv_.at(0), "expected the names of the pictures in the first column");
    for (size_t c = 1; c < cells.size(); ++c) {
      if (c == patient_) continue;
      HV_CHECK_INPUT(!cells[c].empty(), csv_.at(c), "expected the name of a label, found an empty cell");
      HV_CHECK_INPUT(numbers_.count(std::string(cells[c])) == 0, csv_.at(c), "this label has two columns: remove one");
      columns_.emplace_back(c, number_of(cells[c], c));
    }
    HV_CHECK_INPUT(!columns_.empty(), table_.name,
                   ": no label column: expected 'Finding Labels', or a column of 0 and 1 per "
                   "label beside the first one; found ",
                   shown_list(cells));
  }

  void read_row(const Cells& cells) {
    const std::string_view picture = cells[picture_];
    HV_CHECK_INPUT(!picture.empty() && picture.find('/') == std::string_view::npos, csv_.at(picture_),
                   "expected the name of a picture's file, without a folder, found ", shown(picture));
    const auto [before, is_new] = line_of_.emplace(picture, csv_.line());
    HV_CHECK_INPUT(is_new, csv_.at(picture_), "the picture ", shown(picture), " has a row already, in line ", before->second,
                   ": remove one of the two");
    const std::string_view patient = patient_ == kNone ? picture : cells[patient_];
    HV_CHECK_INPUT(!patient.empty(), csv_.at(patient_), "expected the number or name of a patient, found an empty cell");
    const auto [known, first] = patient_of_.emplace(patient, std::ssize(table_.patients));
    if (first) table_.patients.emplace_back(patient);
    table_.patient.push_back(known->second);
    table_.pictures.emplace_back(picture);
    table_.lines.push_back(csv_.line());

    marks_.emplace_back();
    if (findings_ != kNone) return read_names(cells[findings_]);
    for (const auto& [column, label] : columns_) {
      const std::string_view cell = cells[column];
      HV_CHECK_INPUT(cell == "0" || cell == "1", csv_.at(column), "expected 0 or 1, found ", shown(cell));
      if (cell == "1") marks_.back().push_back(label);
    }
  }

  void read_names(std::string_view cell) {
    if (cell == kNoFinding) return;
    for (std::string_view rest = cell;; rest.remove_prefix(1)) {
      const std::string_view name = rest.substr(0, rest.find('|'));
      HV_CHECK_INPUT(!name.empty(), csv_.at(findings_), "expected names of findings separated by '|', or ", kNoFinding,
                     ", found ", shown(cell));
      HV_CHECK_INPUT(name != kNoFinding, csv_.at(findings_), "expected ", kNoFinding, " alone, found ", shown(cell));
      const int64_t label = number_of(name, findings_);
      std::vector<int64_t>& own = marks_.back();
      HV_CHECK_INPUT(std::find(own.begin(), own.end(), label) == own.end(), csv_.at(findings_),
                     "expected each finding once, found ", shown(name), " twice");
      own.push_back(label);
      rest.remove_prefix(name.size());
      if (rest.empty()) return;
    }
  }

  int64_t number_of(std::string_view name, size_t column) {
    const auto known = numbers_.find(name);
    if (known != numbers_.end()) return known->second;
    HV_CHECK_INPUT(numbers_.size() < kMostLabels, csv_.at(column), "expected at most ", kMostLabels,
                   " labels, found one more: ", shown(name));
    check_class_name(std::string(name), table_.name);
    return numbers_.emplace(name, std::ssize(numbers_)).first->second;
  }

  // Numbers so far are those of first sight; `numbers_` is sorted by name.
  void sort_labels() {
    const auto is_nih = [](const auto& entry) {
      return std::find(kNihLabels.begin(), kNihLabels.end(), entry.first) != kNihLabels.end();
    };
    if (std::all_of(numbers_.begin(), numbers_.end(), is_nih)) {
      for (const std::string_view name : kNihLabels) {
        if (numbers_.count(name) > 0) table_.labels.emplace_back(name);
      }
    } else {
      for (const auto& entry : numbers_) table_.labels.push_back(entry.first);
    }
    std::vector<size_t> place(numbers_.size());
    for (size_t k = 0; k < place.size(); ++k) place[static_cast<size_t>(numbers_.find(table_.labels[k])->second)] = k;
    table_.has.assign(marks_.size() * place.size(), 0);
    for (size_t i = 0; i < marks_.size(); ++i) {
      for (const int64_t label : marks_[i]) table_.has[i * place.size() + place[static_cast<size_t>(label)]] = 1;
    }
  }

  static std::string shown_list(const Cells& cells) {
    std::string text;
    for (size_t c = 0; c < std::min<size_t>(cells.size(), 8); ++c) text += (c > 0 ? ", " : "") + shown(cells[c]);
    return text + (cells.size() > 8 ? ", ..." : "");
  }

  CsvReader csv_;
  FindingsTable table_;
  size_t findings_ = kNone, patient_ = kNone, picture_ = 0;  // columns
  std::vector<std::pair<size_t, int64_t>> columns_;          // of a matrix: column, label
  std::map<std::string, int64_t, std::less<>> numbers_;      // of the labels
  std::unordered_map<std::string, int64_t> line_of_, patient_of_;
  std::vector<std::vector<int64_t>> marks_;  // per row: its labels
};

}  // namespace

std::vector<int64_t> FindingsTable::labels_of(int64_t i) const {
  std::vector<int64_t> own;
  for (int64_t k = 0; k < std::ssize(labels); ++k) {
    if (row(i)[k] != 0) own.push_back(k);
  }
  return own;
}

FindingsTable parse_findings(std::string_view text, const std::string& name) { return TableParser(text, name).parse(); }

FindingsTable read_findings(const std::string& path) {
  const std::vector<uint8_t> bytes = read_small(path, kMostBytes);
  return parse_findings({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace hv::data
