// Reads a model's configuration entry by entry, with bounds. Configurations come from checkpoints and are untrusted.
//
// Invariant: what is missing, unreadable or out of bounds is an error (Fault::input) that names the entry, and so is an entry
// that nobody asked for (finish()).
#pragma once

#include <set>
#include <string>

#include "models/elastic.h"

namespace hv::models {

class ConfigReader {
 public:
  ConfigReader(const Config& config, const std::string& kind);  // config["model"] must be `kind`
  int64_t whole(const std::string& name, int64_t least, int64_t most);
  double share(const std::string& name);  // in [0, 1)
  const std::string& text(const std::string& name);
  void finish() const;  // every entry was read

 private:
  const Config& config_;
  std::set<std::string> known_;
};

std::string text_of(double value);  // reads back as the same number

}  // namespace hv::models
