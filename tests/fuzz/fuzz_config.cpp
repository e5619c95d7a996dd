// Configuration: lines `key=value` as a model's configuration and as training options; a text without any as a list of heads or
// of weights, or an amount.
#include <cstring>
#include <set>
#include <string_view>

#include "models/kinds.h"
#include "tests/fuzz/another_number.h"
#include "tests/fuzz/memory_file.h"
#include "train/choice/choose.h"
#include "train/io/memory.h"
#include "train/io/numbers.h"
#include "train/io/ranges.h"
#include "train/options.h"
#include "train/recipes/sampler.h"

namespace {

using namespace hv::train;

// One list for all inputs: building it takes longer than setting an option. A changed option gets its default back.
struct Options {
  TrainOptions values;
  const Fields fields = train_fields(values);                                      // which point into the values
  std::map<std::string, std::pair<const Field*, std::string>, std::less<>> known;  // by name, with the default
  Options() {
    for (const Field& field : fields) known[field.name] = {&field, field.get()};
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Options options;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find('=') == std::string::npos) {
    hv::fuzz::may_refuse([&] { parse_heads("--heads", text); });
    hv::fuzz::may_refuse([&] { choose_values("--heads", text, {0.25, 0.5, 0.75, 1}, "the model; it runs with ", "ratio"); });
    hv::fuzz::may_refuse([&] { choose_names({{"heads5-px24-keep0.7", "", 0, {}}, {"heads5-px24-keep1", "", 1, {}}}, text); });
    hv::fuzz::may_refuse([&] { parse_weights("--weights", text); });
    hv::fuzz::may_refuse([&] { parse_amount("--budget-ms", text); });
    return 0;
  }
  hv::models::Config config;
  std::set<std::string_view> changed;
  each_part(text, '\n', [&](std::string_view line) {
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return;
    const std::string key(line.substr(0, equals)), value(line.substr(equals + 1));
    config[key] = value;
    const auto found = options.known.find(key);
    if (found == options.known.end()) return;
    const Field& field = *found->second.first;
    hv::fuzz::may_refuse([&] {
      field.set(value);
      changed.insert(field.name);
      const std::string first = field.get();
      field.set(first);
      if (field.get() != first) std::abort();  // invariant 2 of train/io/fields.h
    });
  });
  if (!changed.empty()) hv::fuzz::may_refuse([&] { check_options(options.values); });
  for (const std::string_view name : changed) {
    const auto& [field, before] = options.known.find(name)->second;
    field->set(before);
  }
  if (config.count("model")) hv::fuzz::may_refuse([&] { hv::models::costs(config), hv::models::layer_sizes(config); });
  return 0;
}

// Every eighth mutation starts from a model that can be built, because libFuzzer collects texts that are refused in different
// ways. Every second one changes a number.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  static const std::vector<std::string> models = [] {
    std::vector<std::string> texts;
    for (const hv::models::Kind& kind : hv::models::kinds()) {
      for (const hv::models::Preset& preset : kind.presets) {
        std::string& text = texts.emplace_back();
        for (const auto& [key, value] : hv::models::named_model(preset.name, 10)) text += key + "=" + value + "\n";
      }
    }
    return texts;
  }();
  std::string text(reinterpret_cast<const char*>(data), size);
  if ((seed >> 16) % 8 == 0) text = models[(seed >> 19) % models.size()];
  text = seed % 2 == 0 ? hv::fuzz::mutated(text, most) : hv::fuzz::with_another_number(text, seed / 2);
  if (text.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
