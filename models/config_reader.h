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
  double real(const std::string& name, double least, double most);
  const std::string& text(const std::string& name);
  bool flag(const std::string& name);  // on or off
  void finish() const;                 // every entry was read

  // As a visitor of a configuration's fields: visit(name, field, least, most) or visit(name, field).
  void operator()(const char* name, int64_t& field, int64_t least, int64_t most) { field = whole(name, least, most); }
  void operator()(const char* name, double& field, double least, double most) { field = real(name, least, most); }
  void operator()(const char* name, double& field) { field = share(name); }
  void operator()(const char* name, std::string& field) { field = text(name); }
  void operator()(const char* name, bool& field) { field = flag(name); }
  // An entry that is younger than its model: where it has its usual value, it is left out, as in older configurations.
  void optional(const char* name, std::string& field, const char* usual) {
    field = config_.count(name) > 0 ? text(name) : usual;
  }

 private:
  const Config& config_;
  std::set<std::string> known_;
};

// "3,6,9": a list of rising numbers, which is an entry of a configuration. What is none is an error that says what it lists.
struct ListRule {
  const char *entry, *of, *example;  // "stages", "heads", "3,6 or 2,4,6"
  double least, most;
};
std::vector<int64_t> whole_list(const std::string& text, const ListRule& rule);
std::vector<double> real_list(const std::string& text, const ListRule& rule);
std::string joined(const std::vector<int64_t>& list);  // as whole_list() reads it

std::string text_of(double value);   // reads back as the same number
std::string shortest(double value);  // the same, and no longer than that needs

// The visitor of the other direction.
struct ConfigWriter {
  Config out;
  void operator()(const char* name, int64_t value, int64_t, int64_t) { out[name] = std::to_string(value); }
  void operator()(const char* name, double value, double, double) { out[name] = shortest(value); }
  void operator()(const char* name, double value) { out[name] = text_of(value); }
  void operator()(const char* name, const std::string& value) { out[name] = value; }
  void operator()(const char* name, bool value) { out[name] = value ? "on" : "off"; }
  void optional(const char* name, const std::string& value, const char* usual) {
    if (value != usual) out[name] = value;
  }
};

}  // namespace hv::models
