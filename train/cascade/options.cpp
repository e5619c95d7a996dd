#include "train/cascade/options.h"

#include <algorithm>
#include <cmath>

#include "train/io/numbers.h"
#include "train/predict/need.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

std::string known(const std::vector<models::Subnet>& all) {
  std::string text;
  for (const models::Subnet& subnet : all) text += (text.empty() ? "" : ",") + short_text(subnet);
  return text;
}

// By its values ("6"), its name ("heads6") or the value of its first axis, if only one has it.
const models::Subnet& named(const std::vector<models::Subnet>& all, const std::string& word) {
  double value = 0;
  const bool number = parse_number(word, value);
  const models::Subnet* found = nullptr;
  for (const models::Subnet& subnet : all) {
    if (word == short_text(subnet) || word == subnet.name) return subnet;
    if (!number || subnet.axes.at(0).value != value) continue;
    HV_CHECK_USAGE(!found, "--cascade: '", word, "' names several; it runs with ", known(all));
    found = &subnet;
  }
  HV_CHECK_USAGE(found, "--cascade: the model has no '", word, "'; it runs with ", known(all), " ", all[0].axes.at(0).name);
  return *found;
}

Measure chosen_measure(const CascadeChoice& choice) {
  if (choice.measure == "confidence") return Measure(Measure::Kind::confidence);
  int64_t classes = 0;
  const bool all = choice.entropy_classes == "all";
  HV_CHECK_USAGE(all || (parse_number(choice.entropy_classes, classes) && classes >= 2), "--entropy-classes: '",
                 choice.entropy_classes, "' is no number of at least 2 classes; write 10 or all");
  return Measure(Measure::Kind::entropy, classes);
}

}  // namespace

Fields CascadeChoice::fields(Field when) {
  return {{"cascade", &stages, "widths that look one after another until one is sure, narrowest first, as 2,6"},
          {"measure", &measure, "how sure an answer is", 0, 0, {"entropy", "confidence"}},
          {"entropy-classes", &entropy_classes, "the entropy is that of so many most probable classes, or of all"},
          std::move(when)};
}

std::optional<Cascade> chosen_cascade(const CascadeChoice& choice, const std::set<std::string>& given,
                                      const models::ElasticModel& model, const std::string& wanted) {
  const std::vector<models::Subnet>& all = model.subnets();
  HV_CHECK_USAGE(choice.measure == "entropy" || !given.contains("entropy-classes"),
                 "--entropy-classes: only of --measure entropy");
  const bool asked = given.contains("cascade") || !wanted.empty();
  HV_CHECK_USAGE(!asked || !model.independent(), given.contains("cascade") ? "--cascade" : wanted,
                 ": how sure an answer is can be measured only for labels that exclude each other");
  if (!given.contains("cascade")) {
    const bool own = model.continues() && all.size() > 1;
    const std::string unused = given.contains("measure")           ? "--measure"
                               : given.contains("entropy-classes") ? "--entropy-classes"
                                                                   : "";
    const std::string& asks = wanted.empty() ? unused : wanted;
    if (asks.empty()) return {};
    HV_CHECK_USAGE(all.size() > 1, asks, ": needs a model of several widths; this one has one");
    HV_CHECK_USAGE(own, asks, ": needs a cascade; name its widths, as --cascade ", short_text(all.front()), ",",
                   short_text(all.back()));
    HV_CHECK_USAGE(!wanted.empty(), asks, ": needs a threshold; a cascade without one looks at nothing again");
    return Cascade{all, chosen_measure(choice)};
  }
  Cascade cascade{{}, chosen_measure(choice)};
  for (const std::string& word : split(choice.stages, ',')) cascade.stages.push_back(named(all, word));
  HV_CHECK_USAGE(cascade.stages.size() > 1, "--cascade: '", choice.stages,
                 "' is one width alone; name two or more, narrowest first: the model runs with ", known(all));
  const bool ascending =
      std::is_sorted(cascade.stages.begin(), cascade.stages.end(), [](const auto& a, const auto& b) { return a.id <= b.id; });
  HV_CHECK_USAGE(ascending, "--cascade: '", choice.stages, "': name each width once and the narrowest first, in the order of ",
                 known(all));
  HV_CHECK_USAGE(!model.continues() || cascade.stages.size() == all.size(), "--cascade: '", choice.stages,
                 "' leaves out looks from which later ones go on; write ", known(all), ", or leave --cascade out");
  return cascade;
}

void add_stages(std::vector<models::Subnet>& subnets, const Cascade& cascade) {
  for (const models::Subnet& stage : cascade.stages) {
    const auto same = [&](const models::Subnet& subnet) { return subnet.id == stage.id; };
    if (std::none_of(subnets.begin(), subnets.end(), same)) subnets.push_back(stage);
  }
  std::sort(subnets.begin(), subnets.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
}

std::vector<double> parse_thresholds(const std::string& option, const std::string& text) {
  std::vector<double> thresholds;
  for (const std::string& part : split(text, ',')) {
    double value = 0;
    HV_CHECK_USAGE(parse_number(part, value) && std::isfinite(value) && value >= 0, option, ": '", part,
                   "' is no threshold; write a number from 0 on, as 0.5");
    thresholds.push_back(value);
  }
  return thresholds;
}

int64_t cascade_batch(const std::string& where, const models::ElasticModel& model, const Cascade& cascade, int64_t most,
                      double kept) {
  // A waiting image takes no more memory than an image in a pass.
  const int64_t stages = std::ssize(cascade.stages);
  return std::max<int64_t>(1,
                           fitting_batch(where, model.config(), cascade.stages, most * stages, Pass::forward, kept) / stages);
}

std::string cascade_text(const Cascade& cascade) {
  std::string text;
  for (const models::Subnet& stage : cascade.stages) text += (text.empty() ? "" : ", then ") + stage.label;
  return text;
}

}  // namespace hv::train
