// events.jsonl: as the report reads it, and line by line as a run that goes on keeps it. Now and then it is drawn, which takes
// ten times as long as reading, or read in a run folder.
#include <sstream>

#include "tests/fuzz/run_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv;
  using namespace hv::train;
  const fuzz::RunFolder& folder = fuzz::run_folder();
  static Runs runs = {folder.good()};
  RunData& run = runs[0];
  fuzz::may_refuse([&] {
    run.events = read_events(fuzz::memory_file(data, size));
    if (!fuzz::seldom(data, size, 16)) return;
    svg(loss_chart(runs));
    svg(learning_rate_chart(runs));
    if (const auto draws = draws_chart(run)) {
      for (const Bars& bars : draws->bars) svg(bars);
    }
    if (const auto times = time_chart(run)) svg(*times);
  });
  run.events.reset();
  if (fuzz::seldom(data, size, 4)) {  // each line by itself, so the first that is refused says enough: refusing is slow
    std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
    for (std::string line; std::getline(lines, line) && event_step(line) >= 0;) {
    }
  }
  if (fuzz::seldom(data, size, 256)) folder.read("events.jsonl", data, size);
  return 0;
}
