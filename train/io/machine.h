// What this machine is, and which program runs: whether a number measured earlier still counts.
// Thread rule: pure functions, apart from what they read.
#pragma once

#include <string>

namespace hv::train {

std::string processor_name();  // as the kernel knows it; "unknown" if it does not
std::string program_state();   // size and time of change of the file of this program; "unknown" if it is gone

}  // namespace hv::train
