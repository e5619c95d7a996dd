#include "train/log/events.h"

#include <fstream>

#include "train/io/json.h"

namespace hv::train {
namespace {

// Leaves the lines that still hold for a run that goes on after `step`: none for a new run. Returns the path.
const std::string& trimmed(const std::string& path, const StartEvent& start) {
  std::string kept;
  std::ifstream old(path);
  for (std::string line; start.resumed && std::getline(old, line);) {
    const int64_t step = event_step(line);
    if (step >= 0 && step <= start.step) kept += line + "\n";
  }
  write_file(path, kept);
  return path;
}

}  // namespace

EventFile::EventFile(const std::string& path, const StartEvent& start) : file_(trimmed(path, start)) {
  file_.append(event_json(start) + "\n");
}

void EventFile::add(const LogEvent& event) { file_.append(event_json(event) + "\n"); }
void EventFile::add(const EvalEvent& event) { file_.append(event_json(event) + "\n"); }
void EventFile::end(int64_t step, const std::string& how) { file_.append(end_event_json(step, how) + "\n"); }

}  // namespace hv::train
