// Options as data: a list says for each option its name, place, range and help. The command line, config.json, the checkpoint
// and --resume all go through such a list, so an option exists in all of them or in none.
//
// Invariants
//   1. set() checks type and range; an error (Fault::usage) names the option, the value and what is allowed.
//   2. get() writes the shortest text that set() reads back to the same value.
//   3. A text that set() takes can be stored in a checkpoint: at most 4096 bytes, without control characters.
// Thread rule: plain data.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace hv::train {

struct Field {
  std::string name;  // without the dashes
  std::variant<int64_t*, double*, std::string*, bool*> at;
  std::string help;
  double low = 0, high = 0;               // of numbers
  std::vector<std::string> choices = {};  // of texts; empty: any. A bool is on or off
  bool flag = false;                      // a bool that is given without a value
  std::string topic = {};                 // --help lists the options of a topic together

  void set(const std::string& text) const;
  std::string get() const;
  std::string range() const;  // "0 to 1", "cosine or constant": what set() takes
};
using Fields = std::vector<Field>;
inline constexpr double kMany = 1e9;  // as `high`: no limit in practice

const Field* find_field(const Fields& fields, const std::string& name);  // null: there is none
// Appends `more`, as options of `topic`.
void add_fields(Fields& fields, const std::string& topic, Fields more);

// The nearest of `names` by edit distance, or "" if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& names);
// "; did you mean <before><nearest>?", or "" if none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& names, const std::string& before = "");

}  // namespace hv::train
