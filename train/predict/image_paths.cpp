#include "train/predict/image_paths.h"

#include <algorithm>
#include <filesystem>

#include "core/check.h"

namespace hv::train {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestLine = 1 << 16;

void search(const fs::path& folder, std::vector<ImagePath>& found, data::LeftOut& left_out) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string()[0] != '.') entries.push_back(*it);
  }
  if (error) found.push_back({folder.string(), concat(folder.string(), ": cannot read the folder: ", error.message())});
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.path().native() < b.path().native(); });
  for (const fs::directory_entry& entry : entries) {
    std::error_code ignored;
    if (entry.is_directory(ignored)) {
      if (entry.is_symlink(ignored)) {
        left_out.add("links to folders", entry.path().string());
      } else {
        search(entry.path(), found, left_out);
      }
    } else if (!entry.is_regular_file(ignored)) {
      left_out.add("links to nothing, pipes or devices", entry.path().string());
    } else if (data::is_picture(entry.path().string(), left_out)) {
      found.push_back({entry.path().string(), ""});
    }
  }
}

void add(const std::string& argument, std::vector<ImagePath>& found, data::LeftOut& left_out) {
  std::error_code ignored;
  if (!fs::is_directory(argument, ignored)) {
    found.push_back({argument, ""});
    return;
  }
  const size_t before = found.size();
  search(argument, found, left_out);
  if (found.size() == before) found.push_back({argument, argument + ": no pictures in this folder: check the path"});
}

// Reads a line as std::getline does, but stops one byte after the longest allowed path, so that input without line ends does
// not fill the memory.
bool next_line(std::istream& list, std::string& line) {
  line.clear();
  for (int c = list.get(); c != std::istream::traits_type::eof() && c != '\n' && line.size() <= kLongestLine; c = list.get()) {
    line += static_cast<char>(c);
  }
  return list.good() || !line.empty();
}

void add_lines(std::istream& list, std::vector<ImagePath>& found, data::LeftOut& left_out) {
  std::string line;
  int64_t number = 0;
  while (next_line(list, line)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    // For example the bytes of a picture instead of a list of paths.
    HV_CHECK_INPUT(line.size() <= kLongestLine && line.find('\0') == std::string::npos, "standard input: line ", number,
                   ": not a path: expected the paths of pictures, one a line");
    add(line, found, left_out);
  }
}

}  // namespace

std::vector<ImagePath> find_images(const std::vector<std::string>& arguments, std::istream& list, data::LeftOut* told) {
  data::LeftOut ignored, &left_out = told ? *told : ignored;
  HV_CHECK_USAGE(std::count(arguments.begin(), arguments.end(), "-") <= 1, "-: given twice; standard input can be read once");
  std::vector<ImagePath> found;
  for (const std::string& argument : arguments) {
    if (argument == "-") {
      add_lines(list, found, left_out);
    } else {
      add(argument, found, left_out);
    }
  }
  HV_CHECK_INPUT(!found.empty(), "standard input: names no pictures: expected paths, one a line");
  return found;
}

}  // namespace hv::train
