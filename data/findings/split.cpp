#include "data/findings/split.h"

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "core/check.h"
#include "data/checksum.h"
#include "data/files.h"
#include "data/findings/csv.h"

namespace hv::data {
namespace {

constexpr int64_t kMostBytes = int64_t{16} << 20;
constexpr uint64_t kTestHash = 0, kValidationHash = 1;  // seeds of two independent choices

// Gives `to` to one in `every` of the patients that are for training: to those whose hash is divisible. If these are none or
// all, to one or to all but one, in the order of the hashes.
void choose(const std::vector<std::string>& names, uint64_t seed, uint64_t every, Split to, std::vector<Split>& of_patient) {
  std::vector<std::tuple<bool, uint64_t, size_t>> order;  // the divisible ones first
  for (size_t p = 0; p < names.size(); ++p) {
    if (of_patient[p] != Split::train) continue;
    const uint64_t hash = xxh64({reinterpret_cast<const uint8_t*>(names[p].data()), names[p].size()}, seed);
    order.emplace_back(hash % every != 0, hash, p);
  }
  if (order.size() < 2) return;
  std::sort(order.begin(), order.end());
  const auto divisible = std::count_if(order.begin(), order.end(), [](const auto& one) { return !std::get<0>(one); });
  order.resize(static_cast<size_t>(std::clamp<int64_t>(divisible, 1, std::ssize(order) - 1)));
  for (const auto& one : order) of_patient[std::get<2>(one)] = to;
}

constexpr int kInNone = -1;

// Writes `split` for the rows that a list names.
void read_list(const FindingsTable& table, const std::string& path, Split split, std::vector<int>& of_row) {
  const std::vector<uint8_t> bytes = read_small(path, kMostBytes);
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (int64_t line = 1; !rest.empty(); ++line) {
    std::string_view name = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    while (name.ends_with('\r') || name.ends_with(' ')) name.remove_suffix(1);
    if (name.empty()) continue;
    const auto row = table.row_of.find(name);
    HV_CHECK_INPUT(row != table.row_of.end(), path, ": line ", line, ": expected a picture that ", table.name,
                   " has a row of, found ", shown(name), ": add the row or remove the line");
    int& own = of_row[static_cast<size_t>(row->second)];
    HV_CHECK_INPUT(own == kInNone, path, ": line ", line, ": ", shown(name), " is listed twice, here and ",
                   own == static_cast<int>(split) ? "above" : "in the other list", ": remove one of the two");
    own = static_cast<int>(split);
  }
}

// The splits of patients by both lists.
std::vector<Split> listed(const FindingsTable& table, const std::string& train, const std::string& test) {
  std::vector<int> of_row(static_cast<size_t>(table.rows()), kInNone), of_patient(table.patients.size(), kInNone);
  read_list(table, train, Split::train, of_row);
  read_list(table, test, Split::test, of_row);
  for (size_t i = 0; i < of_row.size(); ++i) {
    const std::string& picture = table.pictures[i];
    HV_CHECK_INPUT(of_row[i] != kInNone, table.name, ": line ", table.lines[i], ": ", shown(picture), " is neither in ",
                   kTrainList, " nor in ", kTestList, ": add it to one of them or remove its row");
    int& own = of_patient[static_cast<size_t>(table.patient[i])];
    HV_CHECK_INPUT(own == kInNone || own == of_row[i], table.name, ": line ", table.lines[i], ": patient ",
                   shown(table.patients[static_cast<size_t>(table.patient[i])]),
                   " is for training and for testing: ", shown(picture), " is in ",
                   of_row[i] == static_cast<int>(Split::test) ? kTestList : kTrainList,
                   ", other pictures in the other list: move them into one list");
    own = of_row[i];
  }
  std::vector<Split> splits;
  for (const int split : of_patient) splits.push_back(static_cast<Split>(split));
  return splits;
}

}  // namespace

std::vector<Split> split_findings(const FindingsTable& table, const std::string& folder) {
  const std::string train = join(folder, kTrainList), test = join(folder, kTestList);
  std::error_code ignored;
  const bool has_train = std::filesystem::exists(train, ignored), has_test = std::filesystem::exists(test, ignored);
  HV_CHECK_INPUT(has_train == has_test, folder, ": expected both ", kTrainList, " and ", kTestList,
                 ", or none of them; found only ", has_train ? kTrainList : kTestList,
                 ": add the other one, or rename it to split by patients");
  std::vector<Split> of_patient(table.patients.size(), Split::train);
  if (has_train) {
    of_patient = listed(table, train, test);
  } else {
    choose(table.patients, kTestHash, 5, Split::test, of_patient);
  }
  choose(table.patients, kValidationHash, 10, Split::validation, of_patient);
  std::vector<Split> of_row;
  for (const int64_t patient : table.patient) of_row.push_back(of_patient[static_cast<size_t>(patient)]);
  return of_row;
}

}  // namespace hv::data
