// The table of a set of pictures with several findings each, and, for every other input, a list of pictures beside it: bytes
// after the first zero byte.
#include <filesystem>

#include "data/findings/split.h"
#include "tests/data_fixtures.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv;
  using namespace hv::data;
  static const fixtures::Folder folder, none;
  const std::string_view input(reinterpret_cast<const char*>(data), size), text = input.substr(0, input.find('\0'));
  fuzz::may_refuse([&] {
    const FindingsTable table = parse_findings(text, "fuzz");
    const size_t rows = table.pictures.size(), labels = table.labels.size();
    if (rows == 0 || labels == 0 || table.has.size() != rows * labels || table.row_of.size() != rows) std::abort();
    if (table.patient.size() != rows || table.lines.size() != rows || table.patients.size() > rows) std::abort();
    for (int64_t i = 0; i < table.rows(); ++i) {
      if (table.row_of.at(table.pictures[static_cast<size_t>(i)]) != i) std::abort();
      if (table.patient[static_cast<size_t>(i)] >= std::ssize(table.patients)) std::abort();
    }
    std::string where = none.path();
    if (text.size() < size) {
      where = folder.path();
      const std::string_view lists = input.substr(text.size() + 1), train = lists.substr(0, lists.find('\0'));
      fixtures::write_text(folder / kTrainList, std::string(train));
      fixtures::write_text(folder / kTestList, std::string(lists.substr(std::min(train.size() + 1, lists.size()))));
    }
    if (split_findings(table, where).size() != rows) std::abort();
  });
  return 0;
}
