// A system that fails on demand. tests/faults.cpp stands between a program and the C library's calls that change files, and
// read() where a plan asks for it. It is linked into the test program, and built as faults.so to be preloaded into any other
// (LD_PRELOAD, HYDRAVIT_FAULT=<n>:<folder>: kill -9 at call n; HYDRAVIT_FAULT_SIGNAL=<number>: another signal). A file instead
// of a folder: only calls on that file count.
//
// Invariants
//   1. Only calls on files and folders under plan().folder are touched, and counted from 1. Nothing is touched while no plan is
//      armed.
//   2. A call that fails by plan has done nothing; a short write has written half, a short read has read half.
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
  int64_t first = 0, last = 0;  // the calls that meet it
  int signal = 9;               // of kill; a process that lives on makes the call
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
const std::string& met();               // the name of the call that met the plan first, "" if none did
void record(std::vector<Call>* calls);  // null: no longer
void mark(const std::string& name);     // adds a Call of that name to the record

}  // namespace hv::faults
