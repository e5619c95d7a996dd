// A CSV text, row by row, as RFC 4180 has it: a cell may be in double quotes, and then hold commas, line ends and, doubled,
// quotes. Lines end with LF, CR LF or CR; the last one need not. A byte order mark is skipped, and so are empty lines.
//
// Invariants
//   1. Errors (Fault::input) begin with "<name>: line 3, column 2: ". Lines are those of the text, as an editor counts them.
//   2. Every row has as many cells as the first one, at most 4,096.
// Thread rule: one thread per object; the text must outlive it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace hv::data {

class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name);
  // The cells of the next row, without the blanks around them; they stay valid until the next call. Returns false at the end.
  bool next(std::vector<std::string_view>& cells);
  int64_t line() const { return line_; }  // where the row begins
  // "labels.csv: line 3, column 2 (Patient ID): ", with the name that the first row gives to the column.
  std::string at(size_t column) const;

 private:
  std::string_view quoted_cell(size_t column);
  std::string_view plain_cell(size_t column);
  bool end_of_line();  // steps over it

  std::string_view rest_;
  std::string name_;
  std::vector<std::string> header_;
  std::deque<std::string> unquoted_;  // cells of this row whose quotes were doubled
  int64_t line_ = 0, next_line_ = 1;
};

// A text from a file as an error shows it: in quotes, cut after 40 bytes, control characters as '?'.
std::string shown(std::string_view text);

}  // namespace hv::data
