#include "train/cascade/spend.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace hv::train {

Spender::Spender(models::ElasticModel& model, Cascade cascade, double mean_budget, int64_t batch, TakeAnswer answer)
    : model_(model), cascade_(std::move(cascade)), budget_(mean_budget), batch_(batch), answer_(std::move(answer)) {}

void Spender::add(const Tensor& images) {
  std::vector<int64_t> numbers(static_cast<size_t>(images.size(0)));
  std::iota(numbers.begin(), numbers.end(), next_);
  next_ += images.size(0);
  keep(0, images.contiguous(), {}, std::move(numbers));
}

void Spender::keep(size_t stage, const Tensor& images, const models::Look& before, std::vector<int64_t> numbers) {
  const models::Look now = look_at(model_, cascade_.stages[stage], images, before);
  const int64_t classes = now.logits.size(-1);
  for (int64_t row = 0; row < images.size(0); ++row) {
    places_.push_back({looked_.size(), row, cascade_.measure.of(now.logits.data() + row * classes, classes)});
  }
  for (const Tensor& kept : {images, now.logits, now.memory}) {
    if (kept.defined()) bytes_ += static_cast<double>(kept.numel()) * sizeof(Real);
  }
  looked_.push_back({images, now, std::move(numbers)});
}

void Spender::answer(size_t stage, const Place& place) const {
  const Looked& batch = looked_[place.batch];
  const Tensor& logits = batch.look.logits;
  answer_({batch.numbers[static_cast<size_t>(place.row)], stage, logits.data() + place.row * logits.size(-1), place.measure});
}

std::vector<bool> Spender::choose(size_t stage, size_t count, Spent& spent) const {
  const Measure& measure = cascade_.measure;
  std::vector<size_t> order(places_.size());  // the least sure first
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return measure.surer(places_[b].measure, places_[a].measure); });
  std::vector<double> surest_first;
  for (auto i = order.rbegin(); i != order.rend(); ++i) surest_first.push_back(places_[*i].measure);
  const size_t stay = places_.size() - count;
  spent.thresholds.push_back(measure.between(surest_first, stay));
  if (count > 0 && stay > 0 && !measure.surer(surest_first[stay - 1], surest_first[stay])) spent.exact = false;
  std::vector<bool> chosen(places_.size());
  for (size_t i = 0; i < count; ++i) chosen[order[i]] = true;
  for (size_t i = 0; i < places_.size(); ++i) {
    if (!chosen[i]) answer(stage, places_[i]);
  }
  return chosen;
}

void Spender::look_again(size_t stage, const std::vector<bool>& chosen) {
  const std::vector<Place> places = std::exchange(places_, {});
  const std::vector<Looked> looked = std::exchange(looked_, {});
  Waiting waiting(batch_);
  const auto look = [&] {
    keep(stage, waiting.images().clone(), waiting.look(), waiting.numbers());  // a clone: `waiting` is filled again
    waiting.clear();
  };
  for (size_t i = 0; i < places.size(); ++i) {
    if (!chosen[i]) continue;
    const Looked& from = looked[places[i].batch];
    waiting.add(from.images, model_.continues() ? from.look : models::Look(), places[i].row,
                from.numbers[static_cast<size_t>(places[i].row)]);
    if (waiting.full()) look();
  }
  if (waiting.size() > 0) look();
}

Spent Spender::finish() {
  const std::vector<double> through = macs_through(model_, cascade_);
  Spent spent;
  double rest = static_cast<double>(next_) * (budget_ - through[0]);
  for (size_t stage = 1; stage < through.size(); ++stage) {
    const double cost = through[stage] - through[stage - 1], all = static_cast<double>(places_.size());
    const double paid = rest < all * cost ? std::max(0.0, std::floor(rest / cost)) : all;
    spent.looked.push_back(std::ssize(places_));
    look_again(stage, choose(stage - 1, static_cast<size_t>(paid), spent));
    rest -= paid * cost;
  }
  spent.looked.push_back(std::ssize(places_));
  for (const Place& place : places_) answer(through.size() - 1, place);
  if (next_ > 0) spent.mean_macs = budget_ - rest / static_cast<double>(next_);
  return spent;
}

}  // namespace hv::train
