#include "train/log/events.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "train/choice/few.h"
#include "train/io/json.h"
#include "train/log/label_table.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

Json event(const char* kind, int64_t step) {
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return {{"event", kind}, {"unix_time", std::round(now * 1000) / 1000}, {"step", step}};
}

Json event(const char* kind, const RunPoint& at) {
  return event(kind, at.step).add("epoch", at.epoch).add("seconds", std::round(at.seconds * 1000) / 1000);
}

Json results_json(const std::vector<Result>& results) {
  Json list = Json::empty_list();
  const std::vector<size_t> by_label = shown_by_label(results, kFew);  // so that the line stays short
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& result = results[i];
    const bool all = std::find(by_label.begin(), by_label.end(), i) != by_label.end();
    Json one = axes_json(result.subnet);
    for (const Metric& metric : result.metrics) {
      if (all || metric.label.empty()) one.add(metric.name, metric.value);
    }
    list.push(one.add("images_per_second", result.images_per_second));
  }
  return list;
}

// Finds the member "step" of a line: a whole number of the outermost object.
class StepReader : public JsonEvents {
 public:
  int64_t step = -1;

  void open(char) override { ++depth_; }
  void close() override { --depth_; }
  void key(const std::string& text) override { here_ = depth_ == 1 && text == "step"; }
  void text(const std::string&) override {}
  void number(uint64_t value) override {
    if (here_ && depth_ == 1) step = static_cast<int64_t>(value);
  }
  void other(const char*) override {}

 private:
  int depth_ = 0;
  bool here_ = false;  // here_: the last key read was "step"
};

// Removes the lines that a run beginning at start.step will write again; a new run keeps no line. Returns the place.
const Place& trimmed(const Place& place, const StartEvent& start) {
  AtomicFile kept(place);
  if (start.resumed && file_exists(place)) {
    InputFile old(place);
    each_line(old, kLongestEvent, [&](const std::string& line, bool) {
      const int64_t step = event_step(line);
      if (step < 0 || step > start.step) return;
      const std::string ended = line + "\n";
      kept.write(ended.data(), ended.size());
    });
  }
  kept.commit();
  return place;
}

}  // namespace

std::string event_json(const StartEvent& e) {
  Json widths = Json::empty_list();
  for (const RunSubnet& one : e.subnets) {
    Json json{{"label", one.subnet.label}};
    json.append(axes_json(one.subnet, true));
    widths.push(json.add("params", one.params).add("macs", one.macs).add("share", one.share));
  }
  Json json = event(e.resumed ? "resume" : "start", e.step);
  return json.add("total_steps", e.total_steps).add("widths", widths).text();
}

std::string event_json(const LogEvent& e) {
  Json widths = Json::empty_list(), time;
  for (const LogEvent::Part& part : e.parts) {
    widths.push(axes_json(part.subnet).add("drawn", part.trained).add("loss", part.loss));
  }
  for (size_t i = 0; i < e.time.size(); ++i) time.add(kPartNames[i], e.time[i]);
  Json json = event("log", e.at);
  json.add("loss", e.loss).add("lr", e.at.lr).add("images_per_second", e.images_per_second);
  return json.add("widths", widths).add("time", time).text();
}

std::string event_json(const EvalEvent& e) {
  Json json = event("eval", e.at);
  json.add("images", e.live.empty() ? 0 : e.live[0].images).add("results", results_json(e.live));
  if (!e.ema.empty()) json.add("ema", results_json(e.ema));
  return json.text();
}

std::string end_event_json(int64_t step, const std::string& how) { return event("end", step).add("how", how).text(); }

int64_t event_step(const std::string& line) {
  StepReader reader;
  try {
    parse_json(line, "event", reader);
  } catch (const Error&) {
    return -1;
  }
  return reader.step;
}

EventFile::EventFile(const Place& place, const StartEvent& start) : file_(trimmed(place, start)) {
  file_.append(event_json(start) + "\n");
}

void EventFile::add(const LogEvent& event) { file_.append(event_json(event) + "\n"); }
void EventFile::add(const EvalEvent& event) { file_.append(event_json(event) + "\n"); }
void EventFile::end(int64_t step, const std::string& how) { file_.append(end_event_json(step, how) + "\n"); }

}  // namespace hv::train
