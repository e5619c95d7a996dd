// For tests that let calls to the system fail: a model that trains in a moment and saves with few calls, and the names that a
// run folder may hold.
#pragma once

#include <set>

#include "tests/trainer_fixtures.h"
#include "train/state/run_folder.h"

namespace hv::crash_fixtures {

using namespace hv::trainer_fixtures;

inline bool long_form() { return std::getenv("HYDRAVIT_LONG") != nullptr; }  // make check-long

inline models::Config small_model(int64_t hidden = 2) {
  return {{"model", "mlp"}, {"image", "32"}, {"channels", "3"}, {"hidden", std::to_string(hidden)}, {"classes", "10"}};
}

inline std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) names.insert(fs::relative(entry.path(), folder).string());
  return names;
}

// Checks that a run folder holds only names that a run may leave, whatever happened to the run.
inline std::string litter(const std::string& folder) {
  static const std::set<std::string> known = {"last.ckpt",   "prev.ckpt",    "best.ckpt",   "run.lock",
                                              "config.json", "events.jsonl", "summary.csv", "predictions.csv"};
  std::string text;
  for (const std::string& name : names_in(folder)) text += known.count(name) ? "" : " " + name;
  return text;
}

inline int64_t step_of(const Checkpoint& checkpoint) { return checkpoint.header.counters.at("step"); }

// The step from which a run in this folder would continue; -1: there is no state.
inline int64_t newest_step(const std::string& folder) {
  try {
    return step_of(load_run(folder, [](const std::string&) {}));
  } catch (const Error&) {
    return -1;
  }
}

}  // namespace hv::crash_fixtures
