#include "train/predict/latency_cache.h"

#include "core/kernels/precision.h"
#include "core/parallel.h"
#include "data/checksum.h"
#include "data/checksum_cache.h"
#include "train/files/file.h"
#include "train/io/json.h"
#include "train/io/machine.h"
#include "train/io/numbers.h"
#include "train/io/print.h"

namespace hv::train {
namespace {

std::string hash_of(const std::string& text) {
  return data::hex64(data::xxh64({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
}

}  // namespace

LatencyCache::LatencyCache(const models::Config& config, bool again) {
  std::string model;
  for (const auto& [name, value] : config) model += name + '\n' + value + '\n';
  made_ = {{"program", program_state()},
           {"processor", processor_name()},
           {"threads", std::to_string(num_threads())},
           {"precision", precision() == Precision::bf16 ? "bf16" : "fp32"},
           {"model", hash_of(model)}};
  const std::string folder = data::cache_folder();
  if (folder.empty()) return;
  path_ = join_path(folder, "latency-" + hash_of(model + made_["threads"] + made_["precision"]) + ".json");
  if (!again) read();
}

void LatencyCache::read() {
  if (!is_folder(parent_of(path_))) return;
  try {
    const Place place = OpenFolder(parent_of(path_)) / path_.substr(path_.rfind('/') + 1);
    if (what_is(place) == What::nothing) return;
    std::map<std::string, double> found;
    bool same = true;
    const std::map<std::string, std::string> kept = flat_json(read_file(place, kLargestLatencyFile));
    for (const auto& [name, value] : made_) {
      const auto entry = kept.find("/" + name);
      HV_CHECK_INPUT(entry != kept.end(), "does not say of which ", name);
      same = same && entry->second == value;
    }
    for (auto at = kept.lower_bound("/ms/"); at != kept.end() && at->first.starts_with("/ms/"); ++at) {
      double ms = 0;
      const std::string name = at->first.substr(4), value = at->second.substr(0, 40);
      HV_CHECK_INPUT(name.find('/') == std::string::npos && parse_number(at->second, ms) && ms > 0 && ms < 1e9, "'", value,
                     "' is no time");
      found[name] = ms;
    }
    if (same) ms_ = std::move(found);
  } catch (const Error& error) {
    say(concat("NOTICE: ", path_, ": holds no measured times, they are measured again (", error.what(), ")"));
  }
}

std::optional<double> LatencyCache::find(const models::Subnet& subnet) const {
  const auto found = ms_.find(subnet.name);
  return found == ms_.end() ? std::nullopt : std::optional(found->second);
}

void LatencyCache::add(const models::Subnet& subnet, double ms) { ms_[subnet.name] = ms; }

void LatencyCache::keep() const {
  if (path_.empty() || ms_.empty()) return;
  const std::string text = Json(made_).add("ms", Json(ms_)).text(2) + "\n";
  if (std::ssize(text) > kLargestLatencyFile) return;
  try {
    make_folders(parent_of(path_));
    write_file(OpenFolder(parent_of(path_)) / path_.substr(path_.rfind('/') + 1), text);
  } catch (const Error&) {  // a full or read-only disk, no home: the next start measures again
  }
}

}  // namespace hv::train
