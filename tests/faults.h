// A system that fails on demand. tests/faults.cpp replaces the C library's calls that change files, and read() if a plan asks
// for it. It is linked into the test program, and built as faults.so to be preloaded into any other program: LD_PRELOAD with
// HYDRAVIT_FAULT=<n>:<folder> kills it (kill -9) at call n; HYDRAVIT_FAULT_SIGNAL=<number> sends another signal. If a file is
// named instead of a folder, only calls on that file count.
//
// Invariants
//   1. Only calls on files and folders under plan().folder are counted, from 1, and changed, by path or by name in an open
//      folder. While no plan is armed, every call passes through.
//   2. A call that fails by plan does nothing; a short write writes half, a short read reads half.
//   3. A record holds every call that succeeded, in order, with the bytes written.
// Thread rule: any thread calls; one thread plans.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::faults {

enum class Kind { none, fail, shorten, kill };

struct Plan {
  std::string folder;
  Kind kind = Kind::none;
  int error = 0;                // of fail
  int64_t first = 0, last = 0;  // the calls that fail
  int signal = 9;               // for kill; if the process survives it, the call is made
  bool reads = false;           // are reads counted, too? They change nothing on disk
};

struct
    // "open" (that made the file), "write", "fsync", "close", "rename", "link", "unlink", "mkdir", "truncate"; or a test's mark
    Call {
  std::string name, path, to;
  std::string bytes;  // of write
  int64_t at = 0;     // of write; the size of truncate
};

void arm(const Plan& plan);
void disarm();
int64_t calls();                        // since arm()
const std::string& met();               // the name of the first call that failed by plan, "" if none did
void record(std::vector<Call>* calls);  // null: disarm
void mark(const std::string& name);     // adds a Call of that name to the record

}  // namespace hv::faults
