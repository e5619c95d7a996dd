// Configuration: a text of lines `key=value` as a model's configuration and as training options; the text as JSON, as a line of
// events.jsonl, as a list of heads or an amount.
#include <sstream>

#include "models/elastic.h"
#include "tests/fuzz/memory_file.h"
#include "train/io/json.h"
#include "train/log/events.h"
#include "train/options.h"
#include "train/predict/budget.h"
#include "train/recipes/sampler.h"
#include "train/subnets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::train;
  const std::string text(reinterpret_cast<const char*>(data), size);
  hv::models::Config config;
  TrainOptions options;
  const Fields fields = train_fields(options);  // which point into the options
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals), value = line.substr(equals + 1);
    config[key] = value;
    const Field* field = find_field(fields, key);
    if (!field) continue;
    hv::fuzz::may_refuse([&] {
      field->set(value);
      const std::string first = field->get();
      field->set(first);
      if (field->get() != first) std::abort();  // invariant 2 of train/options.h
    });
  }
  hv::fuzz::may_refuse([&] { check_options(options); });
  hv::fuzz::may_refuse([&] { hv::models::costs(config); });
  hv::fuzz::may_refuse([&] { flat_json(text); });
  event_step(text);
  hv::fuzz::may_refuse([&] { parse_heads("--heads", text); });
  hv::fuzz::may_refuse([&] { parse_amount("--budget-ms", text); });
  return 0;
}
