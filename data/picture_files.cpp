#include "data/picture_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "core/check.h"
#include "data/files.h"
#include "data/image.h"

namespace hv::data {
namespace {

constexpr int kDeepest = 64;

bool has_picture_name(const std::string& name) {
  std::string ending = std::filesystem::path(name).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  static const std::set<std::string> kEndings = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif"};
  return kEndings.count(ending) > 0;
}

class Search {
 public:
  // `take` is given each picture; it returns false to end the search.
  Search(LeftOut& left_out, std::function<bool(std::string)> take) : left_out_(left_out), take_(std::move(take)) {}

  void below(const std::string& folder) {
    for (auto above = std::filesystem::absolute(folder).parent_path();; above = above.parent_path()) {
      enter(above.string());
      if (above == above.parent_path()) break;
    }
    enter(folder);
    visit(folder, 1);
  }

  bool is_picture(const std::string& folder, const Entry& entry) {
    const std::string path = join(folder, entry.name);
    if (entry.kind != Entry::other) return data::is_picture(path, left_out_);
    left_out_.add("links to nothing, pipes or devices", path);
    return false;
  }

 private:
  // Returns false if the folder was entered before.
  bool enter(const std::string& folder) {
    struct stat info {};
    return ::stat(folder.c_str(), &info) != 0 || entered_.insert({info.st_dev, info.st_ino}).second;
  }

  bool visit(const std::string& folder, int depth) {
    HV_CHECK_INPUT(depth <= kDeepest, folder, ": more than ", kDeepest, " folders deep: move the pictures up");
    for (const Entry& entry : list_entries(folder)) {
      const std::string path = join(folder, entry.name);
      if (entry.kind != Entry::folder) {
        if (is_picture(folder, entry) && !take_(path)) return false;
      } else if (!enter(path)) {
        left_out_.add("links to folders that were read already", path);
      } else if (!visit(path, depth + 1)) {
        return false;
      }
    }
    return true;
  }

  LeftOut& left_out_;
  std::function<bool(std::string)> take_;
  std::set<std::pair<dev_t, ino_t>> entered_;
};

}  // namespace

void LeftOut::add(const std::string& reason, const std::string& path) {
  if (known_.count(std::filesystem::path(path).filename().string()) > 0) return;
  ++reasons_.try_emplace(reason, 0, path).first->second.first;
}

std::vector<std::string> LeftOut::notes(const std::string& where) const {
  std::vector<std::string> lines;
  for (const auto& [reason, found] : reasons_) {
    lines.push_back(concat(where, ": left out: ", found.first, " ", reason, "; the first: ", found.second));
  }
  return lines;
}

bool is_picture(const std::string& path, LeftOut& left_out) {
  if (has_picture_name(path)) return true;
  try {
    if (!picture_format(read_beginning(path, kFormatBytes)).empty()) return true;
    left_out.add("files that are no pictures", path);
  } catch (const Error&) {
    left_out.add("files that cannot be read", path);
  }
  return false;
}

std::vector<std::string> pictures_below(const std::string& folder, LeftOut& left_out) {
  std::vector<std::string> found;
  Search(left_out, [&](std::string path) {
    found.push_back(std::move(path));
    return true;
  }).below(folder);
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> pictures_in(const std::string& folder) {
  LeftOut ignored;
  Search search(ignored, {});
  std::vector<std::string> found;
  for (const Entry& entry : list_entries(folder)) {
    if (entry.kind != Entry::folder && search.is_picture(folder, entry)) found.push_back(join(folder, entry.name));
  }
  return found;
}

bool any_picture_below(const std::string& folder) {
  LeftOut ignored;
  bool any = false;
  Search(ignored, [&](const std::string&) {
    any = true;
    return false;
  }).below(folder);
  return any;
}

}  // namespace hv::data
