#include "train/cascade/cascade.h"

#include <algorithm>
#include <numeric>

#include "core/autograd.h"
#include "core/check.h"

namespace hv::train {
namespace {

void copy_row(const Tensor& from, int64_t row, Tensor& to, int64_t at, int64_t capacity) {
  if (!from.defined()) return;
  if (!to.defined()) {
    Shape shape = from.shape();
    shape[0] = capacity;
    to = Tensor::empty(shape);
  }
  const int64_t count = from.numel() / from.size(0);
  std::copy_n(from.data() + row * count, count, to.mutable_data() + at * count);
}

Tensor rows_of(const Tensor& all, int64_t count) { return all.defined() ? all.slice(0, 0, count) : all; }

}  // namespace

std::vector<double> macs_through(const models::ElasticModel& model, const Cascade& cascade) {
  std::vector<double> through;
  for (const models::Subnet& stage : cascade.stages) {
    const double own = static_cast<double>(model.macs(stage));
    through.push_back(own + (through.empty() || model.continues() ? 0 : through.back()));
  }
  return through;
}

void Waiting::add(const Tensor& images, const models::Look& look, int64_t row, int64_t number) {
  HV_CHECK(!full(), "cascade: more than ", capacity_, " images wait");
  copy_row(images, row, images_, size(), capacity_);
  copy_row(look.logits, row, look_.logits, size(), capacity_);
  copy_row(look.memory, row, look_.memory, size(), capacity_);
  numbers_.push_back(number);
}

models::Look Waiting::look() const { return {rows_of(look_.logits, size()), rows_of(look_.memory, size())}; }

models::Look look_at(models::ElasticModel& model, const models::Subnet& stage, const Tensor& images,
                     const models::Look& before) {
  const NoGrad off;
  const models::Look now = model.look(images, stage, before);
  return {now.logits.contiguous(), now.memory.defined() ? now.memory.contiguous() : Tensor()};
}

CascadeRunner::CascadeRunner(models::ElasticModel& model, Cascade cascade, double threshold, int64_t batch, TakeAnswer answer)
    : model_(model), cascade_(std::move(cascade)), threshold_(threshold), answer_(std::move(answer)) {
  for (size_t stage = 1; stage < cascade_.stages.size(); ++stage) waiting_.emplace_back(batch);
}

void CascadeRunner::add(const Tensor& images) {
  fresh_.resize(static_cast<size_t>(images.size(0)));
  std::iota(fresh_.begin(), fresh_.end(), next_);
  next_ += images.size(0);
  look(0, images.contiguous(), {}, fresh_);
}

void CascadeRunner::finish() {
  for (size_t stage = 1; stage < cascade_.stages.size(); ++stage) look_again(stage);
}

void CascadeRunner::look_again(size_t stage) {
  Waiting& waiting = waiting_[stage - 1];
  if (waiting.size() == 0) return;
  look(stage, waiting.images(), waiting.look(), waiting.numbers());
  waiting.clear();
}

void CascadeRunner::look(size_t stage, const Tensor& images, const models::Look& before, const std::vector<int64_t>& numbers) {
  const models::Look now = look_at(model_, cascade_.stages[stage], images, before);
  const int64_t classes = now.logits.size(-1);
  for (int64_t row = 0; row < images.size(0); ++row) {
    const Real* logits = now.logits.data() + row * classes;
    const double measure = cascade_.measure.of(logits, classes);
    const int64_t number = numbers[static_cast<size_t>(row)];
    if (stage + 1 == cascade_.stages.size() || cascade_.measure.enough(measure, threshold_)) {
      answer_({number, stage, logits, measure});
      continue;
    }
    waiting_[stage].add(images, model_.continues() ? now : models::Look(), row, number);
    if (waiting_[stage].full()) look_again(stage + 1);
  }
}

}  // namespace hv::train
