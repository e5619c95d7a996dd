#include "data/findings/csv.h"

#include <algorithm>

#include "core/check.h"

namespace hv::data {
namespace {

constexpr size_t kShown = 40, kMostCells = 4096;

std::string_view trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

}  // namespace

std::string shown(std::string_view text) {
  std::string safe = "'" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "...'" : "'");
  std::replace_if(
      safe.begin(), safe.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return safe;
}

CsvReader::CsvReader(std::string_view text, const std::string& name) : rest_(text), name_(name) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (rest_.starts_with(kMark)) rest_.remove_prefix(kMark.size());
}

std::string CsvReader::at(size_t column) const {
  std::string text = concat(name_, ": line ", line_, ", column ", column + 1);
  if (column < header_.size()) text += concat(" (", shown(header_[column]), ")");
  return text + ": ";
}

bool CsvReader::end_of_line() {
  if (rest_.empty()) return true;
  if (rest_[0] != '\r' && rest_[0] != '\n') return false;
  rest_.remove_prefix(rest_.starts_with("\r\n") ? 2 : 1);
  ++next_line_;
  return true;
}

std::string_view CsvReader::plain_cell(size_t column) {
  const std::string_view cell = rest_.substr(0, rest_.find_first_of(",\r\n"));
  rest_.remove_prefix(cell.size());
  HV_CHECK_INPUT(cell.find('"') == std::string_view::npos && cell.find('\0') == std::string_view::npos, at(column),
                 "expected a text without quotes and zero bytes, found ", shown(cell),
                 ": write a cell with quotes in quotes, and each quote in it twice");
  return trimmed(cell);
}

std::string_view CsvReader::quoted_cell(size_t column) {
  std::string_view cell;  // of this text, or of a copy if it holds quotes
  std::string* copy = nullptr;
  for (;;) {
    rest_.remove_prefix(1);  // the quote that opens the cell, or the second one of a pair
    const std::string_view part = rest_.substr(0, rest_.find('"'));
    HV_CHECK_INPUT(part.size() < rest_.size(), at(column), "expected a closing quote, found the end of the file: add it");
    for (size_t i = 0; i < part.size(); ++i) {
      next_line_ += part[i] == '\n' || (part[i] == '\r' && part.substr(i + 1, 1) != "\n");
    }
    cell = part;
    if (copy) cell = copy->append(part);
    rest_.remove_prefix(part.size() + 1);
    if (!rest_.starts_with('"')) break;
    if (!copy) copy = &unquoted_.emplace_back(cell);
    *copy += '"';
  }
  rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
  HV_CHECK_INPUT(rest_.empty() || std::string_view(",\r\n").find(rest_[0]) != std::string_view::npos, at(column),
                 "expected a comma or the end of the line after the closing quote, found ",
                 shown(rest_.substr(0, rest_.find_first_of(",\r\n"))));
  return trimmed(cell);
}

bool CsvReader::next(std::vector<std::string_view>& cells) {
  cells.clear();
  unquoted_.clear();
  while (!rest_.empty() && end_of_line()) {
  }
  if (rest_.empty()) return false;
  line_ = next_line_;
  for (;;) {
    const size_t blanks = std::min(rest_.find_first_not_of(" \t"), rest_.size());
    if (rest_.substr(blanks).starts_with('"')) {
      rest_.remove_prefix(blanks);
      cells.push_back(quoted_cell(cells.size()));
    } else {
      cells.push_back(plain_cell(cells.size()));
    }
    if (end_of_line()) break;
    HV_CHECK_INPUT(cells.size() < kMostCells, name_, ": line ", line_, ": expected at most ", kMostCells,
                   " cells, found more: is this a table?");
    rest_.remove_prefix(1);  // the comma
  }
  if (header_.empty()) {
    for (const std::string_view cell : cells) header_.push_back(std::string(cell));
  }
  HV_CHECK_INPUT(cells.size() == header_.size(), name_, ": line ", line_, ": expected ", header_.size(),
                 " cells, as in the first line, found ", cells.size(), ": put a cell that holds commas in quotes");
  return true;
}

}  // namespace hv::data
