// The tables of a run folder: the bytes as summary.csv and as predictions.csv, as the report reads them, and as the summary of
// a run that goes on. Now and then they are drawn, which takes ten times as long as reading, or read in a run folder.
#include <cstring>

#include "tests/fuzz/another_number.h"
#include "tests/fuzz/run_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv;
  using namespace hv::train;
  const fuzz::RunFolder& folder = fuzz::run_folder();
  static Runs runs = {folder.good()};
  RunData& run = runs[0];
  const models::Subnet& widest = run.widths.back().subnet;
  const std::string text(reinterpret_cast<const char*>(data), size);
  fuzz::may_refuse([&] {
    run.summary = parse_table(text, "fuzz");
    if (fuzz::seldom(data, size, 8)) {
      for (const Chart& chart : {accuracy_chart(runs, Cost::macs), loss_chart(runs), test_chart(runs)}) svg(chart);
    }
    if (!run.summary->find("predicted_" + widest.name)) return;
    svg(confusion(*run.summary, widest, 2), {"a", "b"}, widest.label);
  });
  run.summary.reset();
  if (text.starts_with("step,")) Summary(fuzz::memory_file(data, size), folder.subnets(), {}, false, 9);
  if (fuzz::seldom(data, size, 512)) {
    for (const char* name : {"summary.csv", "predictions.csv"}) folder.read(name, data, size);
  }
  return 0;
}

// Every eighth mutation starts from predictions that can be drawn. Every second one changes a number.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if ((seed >> 16) % 8 == 0) text = "index,label,predicted_heads2\n0,1,0\n1,0,0\n";
  text = seed % 2 == 0 ? hv::fuzz::mutated(text, most) : hv::fuzz::with_another_number(text, seed / 2);
  if (text.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
