#include "train/io/json.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

namespace hv::train {
namespace {

using Json = nlohmann::ordered_json;  // keeps the order of writing

// Class and file names come from outside: bytes that are no UTF-8 are replaced, never thrown about.
std::string dump(const Json& json, int indent = -1) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

// An option's text as what it is: a number, true or false, or a text.
Json typed(const std::string& text) {
  int64_t whole = 0;
  double real = 0;
  const char *begin = text.data(), *end = begin + text.size();
  if (const auto [at, error] = std::from_chars(begin, end, whole); error == std::errc() && at == end) return whole;
  if (const auto [at, error] = std::from_chars(begin, end, real); error == std::errc() && at == end) return real;
  if (text == "on" || text == "off") return text == "on";
  return text;
}

Json typed(const std::map<std::string, std::string>& entries) {
  Json json = Json::object();
  for (const auto& [key, value] : entries) json[key] = typed(value);
  return json;
}

std::vector<int64_t> sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

Json widths(const std::vector<models::Cost>& costs) {
  Json json = Json::array();
  for (const models::Cost& cost : costs) {
    json.push_back({{"heads", cost.subnet.key},
                    {"dim", cost.subnet.dim},
                    {"params", cost.params},
                    {"macs", cost.macs},
                    {"macs_with_norms", cost.macs_with_norms}});
  }
  return json;
}

Json part_times(const PartSeconds& seconds) {
  Json json = Json::object();
  for (size_t i = 0; i < seconds.size(); ++i) json[kPartNames[i]] = seconds[i];
  return json;
}

Json event(const char* kind, int64_t step) {
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return {{"event", kind}, {"unix_time", std::round(now * 1000) / 1000}, {"step", step}};
}

Json event(const char* kind, const RunPoint& at) {
  Json json = event(kind, at.step);
  json["epoch"] = at.epoch;
  json["seconds"] = std::round(at.seconds * 1000) / 1000;
  return json;
}

Json event_results(const std::vector<WidthResult>& results) {
  Json json = Json::array();
  for (const WidthResult& r : results) {
    json.push_back({{"heads", r.subnet.key},
                    {"top1", r.top1},
                    {"top5", r.top5},
                    {"loss", r.loss},
                    {"images_per_second", r.images_per_second}});
  }
  return json;
}

// The library's events as ours.
struct SaxAdapter {
  const std::string& where;
  JsonEvents& to;

  bool null() { return to.other("null"), true; }
  bool boolean(bool) { return to.other("true or false"), true; }
  bool number_integer(int64_t) { return to.other("a negative number"), true; }
  bool number_unsigned(uint64_t value) { return to.number(value), true; }
  bool number_float(double, const std::string&) { return to.other("a number that is not whole"), true; }
  bool string(std::string& text) { return to.text(text), true; }
  bool binary(std::vector<uint8_t>&) { return false; }  // not in JSON
  bool start_object(size_t) { return to.open('{'), true; }
  bool key(std::string& text) { return to.key(text), true; }
  bool end_object() { return to.close(), true; }
  bool start_array(size_t) { return to.open('['), true; }
  bool end_array() { return to.close(), true; }
  bool parse_error(size_t byte, const std::string&, const std::exception&) {
    fail(Fault::input, where, ": no valid JSON at byte ", byte);
  }
};

}  // namespace

std::string bench_json(const BenchReport& report) {
  Json json{{"threads", report.threads},
            {"precision", report.precision},
            {"gemm_gflops", report.gemm_gflops},
            {"peak_rss_mib", report.peak_rss_mib},
            {"results", Json::array()}};
  for (const BenchResult& r : report.results) {
    json["results"].push_back({{"mode", r.mode},
                               {"heads", r.heads},
                               {"dim", r.dim},
                               {"batch", r.batch},
                               {"images_per_second", r.images_per_second},
                               {"step_ms", r.step_ms},
                               {"gflops", r.gflops},
                               {"efficiency", r.efficiency},
                               {"split", part_times(r.split)}});
    if (r.speedup > 0) json["results"].back()["speedup"] = r.speedup;
  }
  return dump(json);
}

std::string lr_find_json(const LrCurve& curve, const LrSuggestions& suggestions) {
  Json json{{"steepest", suggestions.steepest},
            {"valley", suggestions.valley},
            {"stopped", curve.stopped},
            {"results", Json::array()}};
  for (const LrPoint& p : curve.points)
    json["results"].push_back({{"lr", p.lr}, {"loss", p.loss}, {"smoothed_loss", p.smooth}});
  return dump(json);
}

std::string evaluate_json(const std::vector<WidthResult>& results) {
  Json json{{"results", Json::array()}};
  for (const WidthResult& r : results) {
    json["results"].push_back({{"heads", r.subnet.key},
                               {"params", r.params},
                               {"macs", r.macs},
                               {"top1", r.top1},
                               {"top5", r.top5},
                               {"loss", r.loss},
                               {"images", r.images}});
  }
  return dump(json);
}

std::string prediction_json(const Prediction& p) {
  Json classes = Json::array();
  for (const auto& [name, probability] : p.classes) classes.push_back({{"class", name}, {"probability", probability}});
  return dump({{"image", p.image}, {"heads", p.heads}, {"classes", classes}});
}

std::string problem_json(const std::string& image, const std::string& problem) {
  return dump({{"image", image}, {"error", problem}});
}

std::string info_json(const Header& header, const std::vector<models::Cost>& costs) {
  Json tensors = Json::array();
  for (const TensorEntry& entry : header.tensors) {
    tensors.push_back({{"name", entry.name}, {"shape", sizes(entry.shape)}, {"crc32c", entry.crc}});
  }
  const Json json{{"format", kCheckpointFormat},
                  {"model", typed(header.model)},
                  {"widths", widths(costs)},
                  {"options", typed(header.options)},
                  {"provenance", header.provenance},
                  {"counters", header.counters},
                  {"metrics", header.metrics},
                  {"seed", header.seed},
                  {"class_names", header.class_names},
                  {"mean", header.mean},
                  {"std", header.std},
                  {"tensors", tensors}};
  return dump(json);
}

std::string info_json(const SafetensorsHeader& header, const models::Config& model, const std::vector<models::Cost>& costs) {
  Json tensors = Json::array();
  for (const StoredTensor& tensor : header.tensors) {
    tensors.push_back({{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", sizes(tensor.shape)}});
  }
  const Json json{{"format", "safetensors"},
                  {"model", typed(model)},
                  {"widths", widths(costs)},
                  {"metadata", header.metadata},
                  {"tensors", tensors}};
  return dump(json);
}

std::string safetensors_json(const std::map<std::string, std::string>& metadata, const std::vector<StoredTensor>& tensors) {
  Json json = Json::object();
  json["__metadata__"] = metadata;
  for (const StoredTensor& tensor : tensors) {
    json[tensor.name] = {{"dtype", tensor.dtype}, {"shape", sizes(tensor.shape)}, {"data_offsets", {tensor.begin, tensor.end}}};
  }
  return dump(json);
}

std::string config_json(const Header& header) {
  const Json json{{"options", typed(header.options)},
                  {"model", typed(header.model)},
                  {"provenance", header.provenance},
                  {"seed", header.seed},
                  {"class_names", header.class_names},
                  {"mean", header.mean},
                  {"std", header.std}};
  return dump(json, 2) + "\n";
}

std::map<std::string, std::string> flat_json(const std::string& text) {
  bool deep = false;
  const Json json = Json::parse(
      text, [&](int depth, Json::parse_event_t, Json&) { return depth <= 16 || (deep = true, false); }, false);
  HV_CHECK_INPUT(!json.is_discarded() && json.is_object() && !deep, "not a JSON object", deep ? " of at most 16 levels" : "");
  std::map<std::string, std::string> flat;
  const Json leaves = json.flatten();
  for (const auto& [name, value] : leaves.items()) {
    if (value.is_null() || value.is_structured()) continue;  // an empty list stays a list
    flat[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return flat;
}

void parse_json(const std::string& text, const std::string& where, JsonEvents& events) {
  SaxAdapter adapter{where, events};
  Json::sax_parse(text, &adapter);
}

std::string event_json(const StartEvent& e) {
  Json json = event(e.resumed ? "resume" : "start", e.step);
  json["total_steps"] = e.total_steps;
  for (const RunWidth& w : e.widths) {
    json["widths"].push_back({{"label", w.subnet.label},
                              {"heads", w.subnet.key},
                              {"dim", w.subnet.dim},
                              {"params", w.params},
                              {"macs", w.macs},
                              {"share", w.share}});
  }
  return dump(json);
}

std::string event_json(const LogEvent& e) {
  Json json = event("log", e.at);
  json["loss"] = e.loss;
  json["lr"] = e.at.lr;
  json["images_per_second"] = e.images_per_second;
  for (const LogEvent::Width& w : e.widths)
    json["widths"].push_back({{"heads", w.subnet.key}, {"drawn", w.drawn}, {"loss", w.loss}});
  json["time"] = part_times(e.time);
  return dump(json);
}

std::string event_json(const EvalEvent& e) {
  Json json = event("eval", e.at);
  json["images"] = e.live.empty() ? 0 : e.live[0].images;
  json["results"] = event_results(e.live);
  if (!e.ema.empty()) json["ema"] = event_results(e.ema);
  return dump(json);
}

std::string end_event_json(int64_t step, const std::string& how) {
  Json json = event("end", step);
  json["how"] = how;
  return dump(json);
}

int64_t event_step(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  const auto step = json.is_object() ? json.find("step") : json.end();
  return step != json.end() && step->is_number_integer() ? step->get<int64_t>() : -1;
}

}  // namespace hv::train
