#include "train/json.h"

#include <charconv>
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

}  // namespace

std::string bench_json(const BenchReport& report) {
  Json json{{"threads", report.threads}, {"gemm_gflops", report.gemm_gflops}, {"peak_rss_mib", report.peak_rss_mib},
            {"results", Json::array()}};
  for (const BenchResult& r : report.results) {
    json["results"].push_back({{"mode", r.mode}, {"heads", r.heads}, {"dim", r.dim}, {"batch", r.batch},
                               {"images_per_second", r.images_per_second}, {"step_ms", r.step_ms}, {"gflops", r.gflops}});
  }
  return dump(json);
}

std::string evaluate_json(const std::vector<WidthResult>& results) {
  Json json{{"results", Json::array()}};
  for (const WidthResult& r : results) {
    json["results"].push_back({{"heads", r.subnet.key}, {"params", r.params}, {"macs", r.macs}, {"top1", r.top1}, {"top5", r.top5},
                               {"loss", r.loss}, {"images", r.images}});
  }
  return dump(json);
}

std::string predict_json(const std::vector<Prediction>& predictions) {
  Json json{{"results", Json::array()}};
  for (const Prediction& p : predictions) {
    Json classes = Json::array();
    for (const auto& [name, probability] : p.classes) classes.push_back({{"class", name}, {"probability", probability}});
    json["results"].push_back({{"image", p.image}, {"heads", p.heads}, {"classes", classes}});
  }
  return dump(json);
}

std::string header_json(const Header& header) {
  Json tensors = Json::array();
  for (const TensorEntry& entry : header.tensors) {
    tensors.push_back({{"name", entry.name}, {"shape", std::vector<int64_t>(entry.shape.begin(), entry.shape.end())},
                       {"crc32c", entry.crc}});
  }
  const Json json{{"format", kCheckpointFormat}, {"model", typed(header.model)}, {"options", typed(header.options)},
                  {"provenance", header.provenance}, {"counters", header.counters}, {"metrics", header.metrics},
                  {"seed", header.seed}, {"class_names", header.class_names}, {"mean", header.mean}, {"std", header.std},
                  {"tensors", tensors}};
  return dump(json);
}

std::string config_json(const Header& header) {
  const Json json{{"options", typed(header.options)}, {"model", typed(header.model)}, {"provenance", header.provenance},
                  {"seed", header.seed}, {"class_names", header.class_names}, {"mean", header.mean}, {"std", header.std}};
  return dump(json, 2) + "\n";
}

std::map<std::string, std::string> flat_json(const std::string& text) {
  bool deep = false;
  const Json json = Json::parse(text, [&](int depth, Json::parse_event_t, Json&) { return depth <= 16 || (deep = true, false); }, false);
  HV_CHECK_INPUT(!json.is_discarded() && json.is_object() && !deep, "not a JSON object",
                 deep ? " of at most 16 levels" : "");
  std::map<std::string, std::string> flat;
  const Json leaves = json.flatten();
  for (const auto& [name, value] : leaves.items()) {
    if (value.is_null() || value.is_structured()) continue;  // an empty list stays a list
    flat[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return flat;
}

}  // namespace hv::train
