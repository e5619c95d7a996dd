#include "models/classifiers.h"

#include <algorithm>
#include <charconv>

#include "nn/part.h"

namespace hv::models {

Bands::Bands(const std::string& text, std::vector<int64_t> widths, int64_t views)
    : shared_(text == "shared"), widths_(std::move(widths)), views_(views) {
  const int64_t count = std::ssize(widths_);
  int64_t heads = shared_ ? 1 : count;
  if (!shared_ && text != "own") {
    const std::string number = text.rfind("bands:", 0) == 0 ? text.substr(6) : "";
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), heads);
    HV_CHECK_INPUT(error == std::errc() && end == number.data() + number.size() && heads >= 1 && heads <= count,
                   "model: classifiers: expected shared, own or bands:N with N from 1 to ", count,
                   ", the number of widths, found '", text, "'");
  }
  const int64_t size = count / heads, left = count % heads;
  for (int64_t h = 1; h <= heads; ++h) last_.push_back(h * size + std::min(h, left) - 1);
}

int64_t Bands::head_of(int64_t subnet) const {
  return std::lower_bound(last_.begin(), last_.end(), subnet / views_) - last_.begin();  // the first band that goes so far
}

std::vector<std::string> Bands::names() const {
  if (shared_) return {"head"};
  std::vector<std::string> all;
  for (int64_t h = 0; h < heads(); ++h) all.push_back(concat("heads.", h));
  return all;
}

Tensor Bands::live(const nn::Parameter& parameter, const Subnet& subnet) const {
  const int64_t p = width_of(subnet.id);
  const std::string& name = parameter.name;  // of heads alone it begins so: "heads.2.weight", "heads_dist.2.bias"
  if (name.rfind("heads", 0) != 0) return nn::live(parameter, p, full());
  const int64_t head = std::stoll(name.substr(name.find('.') + 1));
  return head == head_of(subnet.id) ? nn::live(parameter, p, width(head)) : nn::part(parameter.value, 0, 0);
}

void Bands::describe(PlainVit& vit, int64_t width) const {
  if (shared_) return;
  int64_t h = 0;
  while (width > this->width(h)) ++h;
  vit.head = concat("heads.", h);
  vit.head_dist = concat("heads_dist.", h);
  for (h = 0; width == 0 && h < heads(); ++h) vit.separate.push_back(this->width(h));
}

int64_t Bands::params_beyond_widest(int64_t classes, int64_t outputs) const {
  int64_t sum = 0;
  for (int64_t h = 0; h + 1 < heads(); ++h) sum += outputs * classes * (width(h) + 1);
  return sum;
}

void Bands::describe(std::vector<Cost>& costs, int64_t classes, int64_t outputs) const {
  for (Cost& cost : costs) {
    cost.head = head_of(cost.subnet.id);
    cost.head_params = outputs * classes * (width(cost.head) + 1);
  }
}

Classifiers::Classifiers(const Bands& bands, int64_t classes, nn::Init& init) : bands_(bands) {
  const nn::Init before = init;
  for (int64_t h = 0; h < bands.heads(); ++h) {
    init = before;
    heads_.push_back(std::make_unique<nn::Linear>(bands.width(h), classes, init, nn::Elastic::in));
  }
  if (bands.shared()) {
    for (const nn::Parameter& p : heads_[0]->parameters()) add_parameter(p.name, p.value, p.elastic, p.decay);  // "head.weight"
    return;
  }
  const NoGrad off;
  const std::vector<nn::Parameter> widest = heads_.back()->parameters();  // weight, bias
  for (int64_t h = 0; h < bands.heads(); ++h) {
    nn::Linear& head = add_child(std::to_string(h), *heads_[static_cast<size_t>(h)]);
    if (&head == heads_.back().get()) break;
    const std::vector<nn::Parameter> own = head.parameters();
    for (size_t i = 0; i < own.size(); ++i) own[i].value.copy_(nn::live(widest[i], bands.width(h), bands.full()));
  }
}

nn::Lazy Classifiers::operator()(const nn::Lazy& x, int64_t subnet) const {
  return (*heads_.at(static_cast<size_t>(bands_.head_of(subnet))))(x);
}

Setting classifiers_setting() {
  return {"classifiers",
          "heads of the model: shared, one for all widths; own, one per width; bands:N, one per band of neighbouring widths"};
}

std::vector<std::vector<std::string>> classifier_table(const std::vector<Cost>& costs) {
  std::vector<std::vector<std::string>> rows = {{"classifier", "serves", "weights and biases"}};
  int64_t last = -1;
  for (const Cost& cost : costs) {
    if (cost.head == last) {
      rows.back()[1] += ", " + cost.subnet.label;
    } else {
      rows.push_back({std::to_string(cost.head), cost.subnet.label, std::to_string(cost.head_params)});
    }
    last = cost.head;
  }
  return rows.size() > 2 ? rows : std::vector<std::vector<std::string>>{};
}

}  // namespace hv::models
