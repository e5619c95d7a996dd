#include "data/classes.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace hv::data {
namespace {

using Names = std::vector<std::string>;

bool only_numbers(const Names& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] != std::to_string(i)) return false;
  }
  return true;
}

class Reordered : public Dataset {
 public:
  Reordered(DatasetPtr set, const Names& names) : set_(std::move(set)), to_(class_map(set_->class_names(), names)) {
    name_ = set_->name();
    split_ = set_->split();
    class_names_ = names;
    notes_ = set_->notes();
    height_ = set_->height();
    width_ = set_->width();
    normalization_ = set_->normalization();
  }
  int64_t size() const override { return set_->size(); }
  int64_t label(int64_t i) const override {
    const int64_t own = set_->label(i);
    return own < 0 ? own : to_.at(static_cast<size_t>(own));
  }
  bool mixed_order() const override { return set_->mixed_order(); }
  void target(int64_t i, Real* row) const override {
    std::vector<Real> own(to_.size());
    set_->target(i, own.data());
    for (size_t k = 0; k < own.size(); ++k) row[to_[k]] = own[k];
  }
  std::string scorer() const override { return set_->scorer(); }
  void image(int64_t i, uint8_t* chw) const override { set_->image(i, chw); }
  bool decodes() const override { return set_->decodes(); }
  int64_t group(int64_t i) const override { return set_->group(i); }
  std::string item_name(int64_t i) const override { return set_->item_name(i); }
  std::string default_augment() const override { return set_->default_augment(); }
  std::string checksum() const override { return set_->checksum(); }

 private:
  DatasetPtr set_;
  std::vector<int64_t> to_;  // our number of each class of set_
};

}  // namespace

ClassMatch match_classes(const Names& a, const Names& b) {
  if (a == b) return ClassMatch::same;
  if (only_numbers(a) || only_numbers(b)) return ClassMatch::unknown;
  return std::is_permutation(a.begin(), a.end(), b.begin(), b.end()) ? ClassMatch::reordered : ClassMatch::other;
}

std::vector<int64_t> class_map(const Names& from, const Names& to) {
  std::vector<int64_t> map;
  std::vector<bool> taken(to.size(), false);  // two classes may have one name
  for (const std::string& name : from) {
    size_t k = 0;
    while (k < to.size() && (taken[k] || to[k] != name)) ++k;
    HV_CHECK(k < to.size(), "classes: no class ", name, " among ", to.size());
    taken[k] = true;
    map.push_back(static_cast<int64_t>(k));
  }
  return map;
}

DatasetPtr reorder_classes(DatasetPtr set, const Names& names) { return std::make_shared<Reordered>(std::move(set), names); }

std::string names_missing(const Names& one, const Names& other) {
  constexpr int kMost = 3;
  std::string text;
  int count = 0;
  for (const std::string& name : one) {
    if (std::find(other.begin(), other.end(), name) != other.end()) continue;
    if (++count > kMost) return text + ", ...";
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace hv::data
