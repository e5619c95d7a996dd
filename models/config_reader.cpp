#include "models/config_reader.h"

#include <charconv>
#include <sstream>

namespace hv::models {
namespace {

template <class Number>
Number parsed(const std::string& name, const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  HV_CHECK_INPUT(error == std::errc() && end == text.data() + text.size(), "model: ", name, ": expected a number, found '",
                 text, "'");
  return value;
}

template <class Number>
std::vector<Number> rising(const std::string& text, const ListRule& rule) {
  std::vector<Number> list;
  const char *at = text.data(), *const end = at + text.size();
  for (bool more = true; more;) {
    Number value{};
    const auto [after, error] = std::from_chars(at, end, value);
    const double real = static_cast<double>(value);
    const bool rises = (list.empty() || value > list.back()) && real >= rule.least && real <= rule.most;
    more = after != end;
    HV_CHECK_INPUT(error == std::errc() && rises && (!more || *after == ','), "model: ", rule.entry, ": '", text,
                   "' is no list of ", rule.of, "; expected rising numbers from ", rule.least, " to ", rule.most, ", as ",
                   rule.example);
    list.push_back(value);
    at = after + 1;
  }
  return list;
}

}  // namespace

std::vector<int64_t> whole_list(const std::string& text, const ListRule& rule) { return rising<int64_t>(text, rule); }
std::vector<double> real_list(const std::string& text, const ListRule& rule) { return rising<double>(text, rule); }

std::string joined(const std::vector<int64_t>& list) {
  std::string text;
  for (const int64_t value : list) text += concat(text.empty() ? "" : ",", value);
  return text;
}

ConfigReader::ConfigReader(const Config& config, const std::string& kind) : config_(config) {
  const std::string& found = text("model");
  HV_CHECK_INPUT(found == kind, "model: expected ", kind, ", found '", found, "'");
}

const std::string& ConfigReader::text(const std::string& name) {
  known_.insert(name);
  const auto found = config_.find(name);
  HV_CHECK_INPUT(found != config_.end(), "model: the configuration lacks '", name, "'");
  return found->second;
}

int64_t ConfigReader::whole(const std::string& name, int64_t least, int64_t most) {
  const auto value = parsed<int64_t>(name, text(name));
  HV_CHECK_INPUT(value >= least && value <= most, "model: ", name, ": expected ", least, " to ", most, ", found ", value);
  return value;
}

double ConfigReader::share(const std::string& name) {
  const auto value = parsed<double>(name, text(name));
  HV_CHECK_INPUT(value >= 0 && value < 1, "model: ", name, ": expected a number in [0, 1), found ", value);
  return value;
}

double ConfigReader::real(const std::string& name, double least, double most) {
  const auto value = parsed<double>(name, text(name));
  HV_CHECK_INPUT(value >= least && value <= most, "model: ", name, ": expected ", least, " to ", most, ", found ", value);
  return value;
}

bool ConfigReader::flag(const std::string& name) {
  const std::string& value = text(name);
  HV_CHECK_INPUT(value == "on" || value == "off", "model: ", name, ": expected on or off, found '", value, "'");
  return value == "on";
}

void ConfigReader::finish() const {
  for (const auto& [name, value] : config_) {
    HV_CHECK_INPUT(known_.count(name) == 1, "model: an entry this version does not know: '", name, "'");
  }
}

std::string text_of(double value) {
  std::ostringstream out;
  out.precision(17);
  out << value;
  return out.str();
}

std::string shortest(double value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace hv::models
