// JSON: a value under construction, which each producer fills with a shape of its own, and a parser for untrusted texts. The
// JSON library is named in train/io/json.cpp alone.
//
// Invariants
//   1. An object keeps the order in which its members were added.
//   2. A written text is valid JSON: bytes that are no UTF-8 become U+FFFD, and a number that is not finite becomes null.
//      Control characters (train/io/printable.h) are escaped, so it can be shown on a terminal.
//   3. A double is written with the fewest digits that are read back as the same double.
// Thread rule: plain data.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "train/io/fields.h"

namespace hv::train {

class Json {
 public:
  using Member = std::pair<std::string, Json>;

  Json(std::initializer_list<Member> members = {}) : value_(std::vector<Member>(members)) {}  // an object
  Json(const std::string& text) : value_(text) {}
  Json(const char* text) : value_(std::string(text)) {}
  template <class Number, class = std::enable_if_t<std::is_arithmetic_v<Number>>>
  Json(Number number) {
    if constexpr (std::is_same_v<Number, bool> || std::is_floating_point_v<Number>) {
      value_ = number;
    } else if constexpr (std::is_signed_v<Number>) {
      value_ = int64_t{number};
    } else {
      value_ = uint64_t{number};
    }
  }
  template <class Value>
  Json(const std::map<std::string, Value>& members) : Json() {
    for (const auto& [key, value] : members) add(key, value);
  }
  template <class Values>
  static Json list(const Values& values) {
    Json list = empty_list();
    for (const auto& value : values) list.push(value);
    return list;
  }
  static Json empty_list();

  Json& add(const std::string& key, Json value);  // to an object that has no such member
  Json& append(const Json& members);              // to an object: those of another one
  Json& push(Json value);                         // to a list
  std::string text(int indent = -1) const;        // indent -1: in one line

 private:
  friend struct JsonText;
  std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<Member>, std::vector<Json>> value_;
};

// The values of options as numbers, true or false ("on" and "off"), or texts, as `fields` declare them: a text stays a text,
// whatever it looks like. What no field names, and what does not fit its field, is a text, too.
Json typed(const std::map<std::string, std::string>& entries, const Fields& fields);
// A model's configuration, whose texts are words: each entry that reads as a finite number is one.
Json typed(const std::map<std::string, std::string>& config);

// Reading, as events: nothing is built, so a hostile text costs no memory and no recursion. A handler ends it by throwing.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual void open(char bracket) = 0;  // '{' or '['
  virtual void close() = 0;
  virtual void key(const std::string& text) = 0;
  virtual void text(const std::string& text) = 0;
  virtual void number(uint64_t value) = 0;
  virtual void other(const char* what) = 0;  // "null", "true or false", "a negative number", "a number that is not whole"
};
// What is no UTF-8 or no JSON to its last byte: an error (Fault::input), "<where>: no valid JSON at byte 17".
void parse_json(const std::string& text, const std::string& where, JsonEvents& events);

// An object out of an untrusted text, without its structure: "/widths/0/heads" -> "3". A null is left out. Not an object, or
// nested deeper than 16: an error (Fault::input).
std::map<std::string, std::string> flat_json(const std::string& text);

}  // namespace hv::train
