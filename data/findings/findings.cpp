#include "data/findings/findings.h"

#include <algorithm>
#include <filesystem>

#include "core/check.h"
#include "data/checksum.h"
#include "data/files.h"
#include "data/findings/csv.h"
#include "data/findings/split.h"
#include "data/picture_files.h"

namespace hv::data {
namespace {

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// One line for what is wrong: how many, the first, and the way out.
void check_complete(const std::string& root, const FindingsList& list) {
  const auto missing = std::count(list.paths.begin(), list.paths.end(), "");
  const auto first = static_cast<size_t>(std::find(list.paths.begin(), list.paths.end(), "") - list.paths.begin());
  HV_CHECK_INPUT(missing == 0, list.table.name, ": line ", list.table.lines[first], ": no picture ",
                 shown(list.table.pictures[first]), " below ", root, ", ", missing, " of ", list.paths.size(),
                 " rows have none: add the pictures or remove the rows; `data verify` lists them");
  HV_CHECK_INPUT(list.without_row.empty(), list.without_row[0], ": no row in ", list.table.name, ", one of ",
                 list.without_row.size(), " such pictures: add the rows or remove the pictures; `data verify` lists them");
  HV_CHECK_INPUT(list.same_name.empty(), list.same_name[0].second, ": has the name of ", list.same_name[0].first, ", one of ",
                 list.same_name.size(), " such pictures: remove one of the two, because rows know pictures by their names");
}

class FindingsDataset : public Dataset {
 public:
  FindingsDataset(const std::string& root, Split split, FindingsList list, std::vector<int64_t> rows, int64_t side,
                  Progress progress, int64_t decoded_limit)
      : table_(std::move(list.table)),
        rows_(std::move(rows)),
        set_(root, concat("findings, ", split_name(split), ", ", side, " pixels"), chosen(list.paths), marks(), side,
             std::move(progress), decoded_limit / table_.rows() * std::ssize(rows_)) {
    name_ = "findings";
    split_ = split;
    class_names_ = table_.labels;
    notes_ = std::move(list.notes);
    height_ = width_ = side;
    normalization_ = {{0.53, 0.53, 0.53}, {0.25, 0.25, 0.25}};  // of NIH's pictures, rounded
  }

  int64_t size() const override { return set_.size(); }
  int64_t label(int64_t) const override { return -1; }
  void target(int64_t i, Real* row) const override {
    const uint8_t* has = table_.row(row_of(i));
    std::transform(has, has + classes(), row, [](uint8_t one) { return static_cast<Real>(one); });
  }
  std::string scorer() const override { return "findings"; }
  void image(int64_t i, uint8_t* chw) const override { set_.image(i, chw); }
  bool decodes() const override { return set_.decodes(); }
  int64_t group(int64_t i) const override { return table_.patient[static_cast<size_t>(row_of(i))]; }
  std::string item_name(int64_t i) const override { return table_.pictures[static_cast<size_t>(row_of(i))]; }
  std::string default_augment() const override { return "xray"; }
  std::string checksum() const override { return set_.checksum(); }

 private:
  int64_t row_of(int64_t i) const {
    HV_CHECK(i >= 0 && i < std::ssize(rows_), "findings: image ", i, " of ", rows_.size());
    return rows_[static_cast<size_t>(i)];
  }
  std::vector<std::string> chosen(const std::vector<std::string>& paths) const {
    std::vector<std::string> own;
    for (const int64_t row : rows_) own.push_back(paths[static_cast<size_t>(row)]);
    return own;
  }
  std::vector<int64_t> marks() const {  // of the labels of each row
    std::vector<int64_t> own;
    for (const int64_t row : rows_) own.push_back(static_cast<int64_t>(xxh64({table_.row(row), table_.labels.size()})));
    return own;
  }

  FindingsTable table_;
  std::vector<int64_t> rows_;  // of the table: those of this split
  PictureSet set_;
};

}  // namespace

bool has_findings(const std::string& root) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(join(root, kFindingsTable), ignored);
}

FindingsList list_findings(const std::string& root) {
  FindingsList list;
  list.table = read_findings(join(root, kFindingsTable));
  list.paths.resize(static_cast<size_t>(list.table.rows()));
  LeftOut left_out({kFindingsTable, kTrainList, kTestList});
  for (std::string& path : pictures_below(root, left_out)) {
    const auto row = list.table.row_of.find(file_name(path));
    if (row == list.table.row_of.end()) {
      list.without_row.push_back(std::move(path));
    } else if (std::string& own = list.paths[static_cast<size_t>(row->second)]; own.empty()) {
      own = std::move(path);
    } else {
      list.same_name.emplace_back(own, std::move(path));
    }
  }
  list.notes = left_out.notes(root);
  return list;
}

DatasetPtr open_findings(const std::string& root, Split split, int64_t size, Progress progress, int64_t decoded_limit) {
  FindingsList list = list_findings(root);
  check_complete(root, list);
  const std::vector<Split> splits = split_findings(list.table, root);
  std::vector<int64_t> rows;
  for (size_t i = 0; i < splits.size(); ++i) {
    if (splits[i] == split) rows.push_back(static_cast<int64_t>(i));
  }
  HV_CHECK_INPUT(!rows.empty(), root, ": no ", split_name(split),
                 " pictures: the pictures of at least three patients are needed, found ", list.table.patients.size(),
                 list.table.patients.size() == 1 ? " patient" : " patients");
  return std::make_shared<FindingsDataset>(root, split, std::move(list), std::move(rows), size, std::move(progress),
                                           decoded_limit);
}

}  // namespace hv::data
