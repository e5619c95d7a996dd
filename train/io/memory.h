// How much memory a command may take: the option --memory, else what this machine has left.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "train/io/fields.h"

namespace hv::train {

// Reads "5e6", "800k", "12M" or "1.5G". Any other text, and a number that is not above 0, is an error (Fault::usage) that shows
// these forms.
double parse_amount(const std::string& option, const std::string& text);
std::string bytes_text(double bytes);  // "3.2 GB", "41 MB"

// --memory, for the options of a command. There is one value per process, whichever command it belongs to.
Field memory_field();
// In bytes. Without --memory: what the machine had left at the first call, so that the memory which the program has taken since
// then, and uses again, counts once.
double memory_budget();

// The least of what the system has available, what the control groups (v1 and v2) of this process leave, and what its limits
// (ulimit -v, -d) leave; infinite if nothing is known. `root` is put before the names of the system's files, for tests.
double available_memory(const std::string& root = "");

}  // namespace hv::train
