#include "train/io/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "core/check.h"
#include "train/io/numbers.h"
#include "train/io/print.h"

namespace hv::train {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// The first number of a file; with `name`, the one after that word at the beginning of a line. Not there: NaN.
double number_in(const std::string& path, const std::string& name = "") {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name, 0) != 0) continue;
    const size_t begin = std::min(line.size(), line.find_first_of("0123456789", name.size()));
    double value = 0;
    if (parse_number(line.substr(begin, line.find_first_not_of("0123456789", begin) - begin), value)) return value;
    break;
  }
  return std::nan("");
}

// What the control group in `folder` leaves. Pages of files that nobody has used for a while count as used there, and are given
// up when memory is needed.
double left_in(const std::string& folder, const char* most, const char* used) {
  const double limit = number_in(folder + most), now = number_in(folder + used);
  const double files = number_in(folder + "/memory.stat", "inactive_file ");
  if (std::isnan(limit) || std::isnan(now)) return kUnlimited;
  return std::max(0.0, limit - now + (std::isnan(files) ? 0 : files));
}

// In the group and in all above it.
double left_in_groups(const std::string& root, std::string group, const char* most, const char* used) {
  double left = left_in(root, most, used);
  for (; group.size() > 1; group.resize(group.rfind('/'))) left = std::min(left, left_in(root + group, most, used));
  return left;
}

double left_of_limit(decltype(RLIMIT_AS) resource, double used) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || std::isnan(used)) return kUnlimited;
  return std::max(0.0, static_cast<double>(limit.rlim_cur) - used);
}

std::string& option_text() {
  static std::string text;
  return text;
}

}  // namespace

double parse_amount(const std::string& option, const std::string& text) {
  double value = 0, unit = 1;
  if (text.ends_with('k')) unit = 1e3;
  if (text.ends_with('M')) unit = 1e6;
  if (text.ends_with('G')) unit = 1e9;
  const std::string number = unit > 1 ? text.substr(0, text.size() - 1) : text;
  HV_CHECK_USAGE(parse_number(number, value) && std::isfinite(value) && value > 0, option, ": '", text,
                 "' is no amount above 0; write it as 5e6, 800k, 12M or 1.5G");
  return value * unit;
}

std::string bytes_text(double bytes) {
  if (bytes < 1e6) return print("%.0f kB", std::ceil(bytes / 1e3));
  return bytes < 1e9 ? print("%.0f MB", bytes / 1e6) : print("%.1f GB", bytes / 1e9);
}

Field memory_field() {
  return {"memory", &option_text(), "most memory for what is computed, as 800M or 2G; default: what the machine has left"};
}

double memory_budget() {
  if (!option_text().empty()) return parse_amount("--memory", option_text());
  static const double available = available_memory();
  return available;
}

double available_memory(const std::string& root) {
  const std::string status = root + "/proc/self/status", groups = root + "/sys/fs/cgroup";
  const double system = 1024 * number_in(root + "/proc/meminfo", "MemAvailable:");
  double left = std::isnan(system) ? kUnlimited : system;
  left = std::min(left, left_of_limit(RLIMIT_AS, 1024 * number_in(status, "VmSize:")));
  left = std::min(left, left_of_limit(RLIMIT_DATA, 1024 * number_in(status, "VmData:")));
  std::ifstream in(root + "/proc/self/cgroup");  // "0::/group" (v2), "4:memory:/group" (v1)
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find(":/");
    if (at == std::string::npos) continue;
    const std::string group = line.substr(at + 1);
    if (line.rfind("0::", 0) == 0) left = std::min(left, left_in_groups(groups, group, "/memory.max", "/memory.current"));
    if (line.find(":memory:") != std::string::npos) {
      left = std::min(left, left_in_groups(groups + "/memory", group, "/memory.limit_in_bytes", "/memory.usage_in_bytes"));
    }
  }
  return left;
}

}  // namespace hv::train
