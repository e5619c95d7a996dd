#include "train/io/machine.h"

#include <sys/stat.h>

#include <fstream>

#include "core/check.h"

namespace hv::train {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

std::string program_state() {
  struct stat info {};
  if (::stat("/proc/self/exe", &info) != 0) return "unknown";
  return concat(info.st_size, " bytes of ", int64_t{info.st_mtim.tv_sec}, ".", int64_t{info.st_mtim.tv_nsec});
}

}  // namespace hv::train
