#include "train/io/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "train/io/numbers.h"
#include "train/io/printable.h"

namespace hv::train {
namespace {

using Tree = nlohmann::ordered_json;  // keeps the order of writing

// The library's events as ours.
struct SaxAdapter {
  const std::string& where;
  JsonEvents& to;

  bool null() {
    to.other("null");
    return true;
  }
  bool boolean(bool) {
    to.other("true or false");
    return true;
  }
  bool number_integer(int64_t) {
    to.other("a negative number");
    return true;
  }
  bool number_unsigned(uint64_t value) {
    to.number(value);
    return true;
  }
  bool number_float(double, const std::string&) {
    to.other("a number that is not whole");
    return true;
  }
  bool string(std::string& text) {
    to.text(text);
    return true;
  }
  bool binary(std::vector<uint8_t>&) { return false; }  // not in JSON
  bool start_object(size_t) {
    to.open('{');
    return true;
  }
  bool key(std::string& text) {
    to.key(text);
    return true;
  }
  bool end_object() {
    to.close();
    return true;
  }
  bool start_array(size_t) {
    to.open('[');
    return true;
  }
  bool end_array() {
    to.close();
    return true;
  }
  bool parse_error(size_t byte, const std::string&, const std::exception&) {
    fail(Fault::input, where, ": no valid JSON at byte ", byte);
  }
};

}  // namespace

struct JsonText {  // our value as the library's
  static Tree tree(const Json& json) { return std::visit(JsonText(), json.value_); }
  Tree operator()(const std::vector<Json::Member>& members) const {
    Tree object = Tree::object();
    auto& list = object.get_ref<Tree::object_t&>();  // appended to: object[key] would first search all members before it
    for (const auto& [key, value] : members) list.push_back({key, tree(value)});
    return object;
  }
  Tree operator()(const std::vector<Json>& values) const {
    Tree list = Tree::array();
    for (const Json& value : values) list.push_back(tree(value));
    return list;
  }
  template <class Scalar>
  Tree operator()(const Scalar& value) const {
    return value;
  }
};

Json Json::empty_list() {
  Json list;
  list.value_ = std::vector<Json>();
  return list;
}

Json& Json::add(const std::string& key, Json value) {
  std::get<std::vector<Member>>(value_).emplace_back(key, std::move(value));
  return *this;
}

Json& Json::append(const Json& members) {
  for (const auto& [key, value] : std::get<std::vector<Member>>(members.value_)) add(key, value);
  return *this;
}

Json& Json::push(Json value) {
  std::get<std::vector<Json>>(value_).push_back(std::move(value));
  return *this;
}

std::string Json::text(int indent) const {
  return escape_controls(JsonText::tree(*this).dump(indent, ' ', false, Tree::error_handler_t::replace));
}

namespace {

Json number_or_text(const std::string& text) {
  int64_t whole = 0;
  double real = 0;
  if (parse_number(text, whole)) return whole;
  return parse_number(text, real) && std::isfinite(real) ? Json(real) : Json(text);
}

}  // namespace

Json typed(const std::map<std::string, std::string>& entries, const Fields& fields) {
  Json json;
  for (const auto& [name, text] : entries) {
    const Field* field = find_field(fields, name);
    if (!field || std::holds_alternative<std::string*>(field->at)) {
      json.add(name, text);
    } else if (std::holds_alternative<bool*>(field->at) && (text == "on" || text == "off")) {
      json.add(name, text == "on");
    } else {
      json.add(name, number_or_text(text));
    }
  }
  return json;
}

Json typed(const std::map<std::string, std::string>& config) {
  Json json;
  for (const auto& [name, text] : config) json.add(name, number_or_text(text));
  return json;
}

void parse_json(const std::string& text, const std::string& where, JsonEvents& events) {
  const size_t nul = text.find('\0');  // the library takes a NUL for the end, whatever follows
  HV_CHECK_INPUT(nul == std::string::npos, where, ": no valid JSON at byte ", nul + 1);
  SaxAdapter adapter{where, events};
  Tree::sax_parse(text, &adapter);
}

std::map<std::string, std::string> flat_json(const std::string& text) {
  bool deep = false;
  using Sorted = nlohmann::json;  // finds a member in logarithmic time; a text may hold very many
  const auto shallow = [&](int depth, Sorted::parse_event_t, Sorted&) {
    deep = deep || depth > 16;
    return depth <= 16;
  };
  const Sorted json =
      text.find('\0') == std::string::npos ? Sorted::parse(text, shallow, false) : Sorted(Sorted::value_t::discarded);
  HV_CHECK_INPUT(!json.is_discarded() && json.is_object() && !deep, "not a JSON object", deep ? " of at most 16 levels" : "");
  std::map<std::string, std::string> flat;
  const Sorted leaves = json.flatten();
  for (const auto& [name, value] : leaves.items()) {
    if (value.is_null() || value.is_structured()) continue;  // an empty list stays a list
    flat[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return flat;
}

}  // namespace hv::train
