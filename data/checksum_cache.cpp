#include "data/checksum_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "core/check.h"
#include "data/checksum.h"
#include "data/files.h"

namespace hv::data {
namespace {

namespace fs = std::filesystem;

uint64_t hash_of(const std::string& text, uint64_t seed = 0) {
  return xxh64({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, seed);
}

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// Of the file's content, as far as it can be known without reading. The time of the last change of the inode cannot be set
// back.
std::string state_of(const struct stat& info) {
  return concat(info.st_size, ' ', nanoseconds(info.st_mtim), ' ', nanoseconds(info.st_ctim));
}

std::string content_of(const std::string& stamp, const std::string& checksum) {
  const std::string text = concat("hydravit checksum 1\n", stamp, "\n", checksum, "\n");
  return text + hex64(hash_of(text)) + "\n";
}

}  // namespace

// A relative XDG_CACHE_HOME is invalid by its specification, and ignored.
std::string cache_folder() {
  const char* const xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg && xdg[0] == '/') return join(xdg, "hydravit");
  const char* const home = std::getenv("HOME");
  return home && home[0] == '/' ? join(home, ".cache/hydravit") : "";
}

ChecksumCache::ChecksumCache(const std::string& folder, const std::string& what, const std::vector<std::string>& paths,
                             const std::vector<int64_t>& labels)
    : folder_(folder), paths_(paths), labels_(labels) {
  std::error_code error;
  const std::string root = fs::canonical(folder, error).string(), cache = cache_folder();
  if (error || cache.empty()) return;
  place_ = join(cache, "checksum-" + hex64(hash_of(root + '\n' + what)));
  stamp_ = stamp();
}

std::string ChecksumCache::stamp() const {
  // Times advance in ticks. A file that was changed just now may change again within the same tick, so it is not yet known.
  constexpr int64_t kTick = 50'000'000;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  struct stat info {};
  if (::stat("/proc/self/exe", &info) != 0) return "";  // another program may decode in another way
  uint64_t hash = hash_of(state_of(info));
  for (size_t i = 0; i < paths_.size(); ++i) {
    if (::stat(paths_[i].c_str(), &info) != 0 || nanoseconds(info.st_ctim) > nanoseconds(now) - kTick) return "";
    hash = hash_of(concat(paths_[i].substr(folder_.size()), '\0', labels_[i], ' ', state_of(info)), hash);
  }
  return hex64(hash);
}

std::string ChecksumCache::find() const {
  if (place_.empty() || stamp_.empty()) return "";
  try {
    const std::vector<uint8_t> bytes = read_small(place_, 256);
    const std::string text(bytes.begin(), bytes.end()), head = content_of(stamp_, std::string(16, '0'));
    const size_t at = head.size() - 34;  // the checksum, a line end, the checksum of the text, a line end
    if (text.size() != head.size()) return "";
    const std::string checksum = text.substr(at, 16);
    const bool digits = checksum.find_first_not_of("0123456789abcdef") == std::string::npos;
    return digits && text == content_of(stamp_, checksum) ? checksum : "";
  } catch (const Error&) {
    return "";
  }
}

void ChecksumCache::keep(const std::string& checksum) const {
  if (place_.empty() || stamp_.empty() || stamp() != stamp_) return;
  std::error_code ignored;
  fs::create_directories(fs::path(place_).parent_path(), ignored);
  const std::string text = content_of(stamp_, checksum);
  try {
    write_file(place_, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  } catch (const Error&) {  // a full or read-only disk: the next start computes it again
  }
}

}  // namespace hv::data
