#include "train/io/fields.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"
#include "train/io/numbers.h"

namespace hv::train {
namespace {

constexpr size_t kLongestText = 4096;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

// Digits behind a sign or none: a whole number, however large.
bool is_whole(const std::string& text) {
  const size_t first = text.starts_with('-') ? 1 : 0;
  return text.size() > first && text.find_first_not_of("0123456789", first) == std::string::npos;
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, change});
    }
  }
  return row.back();
}

}  // namespace

std::string Field::range() const {
  if (std::holds_alternative<bool*>(at)) return "on or off";
  if (std::holds_alternative<std::string*>(at)) return joined(choices);
  const auto text = [](double x) { return x == std::floor(x) ? number_text(static_cast<int64_t>(x)) : number_text(x); };
  return concat(text(low), " to ", text(high));
}

void Field::set(const std::string& text) const {
  if (bool* const* value = std::get_if<bool*>(&at)) {
    HV_CHECK_USAGE(text == "on" || text == "off", "--", name, ": '", text, "' is neither on nor off");
    **value = text == "on";
  } else if (std::string* const* word = std::get_if<std::string*>(&at)) {
    HV_CHECK_USAGE(choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end(), "--", name, ": '", text,
                   "' is unknown; choose ", range(), did_you_mean(text, choices));
    HV_CHECK_USAGE(text.size() <= kLongestText, "--", name, ": a text of ", text.size(), " bytes; give at most ", kLongestText);
    const bool control = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
    HV_CHECK_USAGE(!control, "--", name, ": '", text, "' holds control characters; give a text without them");
    **word = text;
  } else if (int64_t* const* whole = std::get_if<int64_t*>(&at)) {
    int64_t parsed = 0;
    const bool fits = parse_number(text, parsed);
    HV_CHECK_USAGE(is_whole(text), "--", name, ": '", text, "' is no whole number; give ", range());
    HV_CHECK_USAGE(fits && static_cast<double>(parsed) >= low && static_cast<double>(parsed) <= high, "--", name, ": ", text,
                   " is out of range; give ", range());
    **whole = parsed;
  } else {
    double parsed = 0;
    HV_CHECK_USAGE(parse_number(text, parsed), "--", name, ": '", text, "' is no number; give ", range());
    HV_CHECK_USAGE(parsed >= low && parsed <= high, "--", name, ": ", text, " is out of range; give ", range());  // NaN is, too
    *std::get<double*>(at) = parsed;
  }
}

std::string Field::get() const {
  if (bool* const* value = std::get_if<bool*>(&at)) return **value ? "on" : "off";
  if (std::string* const* word = std::get_if<std::string*>(&at)) return **word;
  if (int64_t* const* whole = std::get_if<int64_t*>(&at)) return number_text(**whole);
  return number_text(*std::get<double*>(at));
}

const Field* find_field(const Fields& fields, const std::string& name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

void add_fields(Fields& fields, const std::string& topic, Fields more) {
  for (Field& field : more) {
    field.topic = topic;
    fields.push_back(std::move(field));
  }
}

std::string nearest(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& name : names) {
    const bool begins = word.size() >= 3 && name.compare(0, word.size(), word) == 0;
    const size_t apart = std::max(word.size(), name.size()) - std::min(word.size(), name.size());  // at least so many edits
    if (!begins && apart >= least) continue;
    const size_t distance = begins ? 1 : edit_distance(word, name);
    if (distance >= least) continue;
    least = distance;
    best = name;
  }
  return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& names, const std::string& before) {
  const std::string name = nearest(word, names);
  return name.empty() ? "" : concat("; did you mean ", before, name, "?");
}

}  // namespace hv::train
