// Run folders with links, pipes, devices, sockets, folders and foreign files in the place of each file of a run.
#pragma once

namespace hv::hostile {

// Runs the commands on them; `share` 1: all, else a choice. Returns whether each ended in less than a second of processor time,
// with a message and the exit code 2 or 3 where it uses what is there (1 where it cannot write), and whether nothing outside
// has changed.
bool run_folders(long share);

}  // namespace hv::hostile
