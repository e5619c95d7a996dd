#include "train/report/pictures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/ops.h"
#include "data/classes.h"
#include "data/loader.h"
#include "data/sample.h"
#include "train/evaluate.h"
#include "train/explain/explain.h"
#include "train/files/file.h"
#include "train/io/memory.h"
#include "train/log/predictions.h"
#include "train/step.h"
#include "train/subnets.h"
#include "train/views/views.h"

namespace hv::train {
namespace {

constexpr int64_t kSide = 96, kLargest = 128;  // pixels: the smallest and the largest side of a picture in the page
constexpr double kMostWork = 1e13;             // multiply-adds of one image at all widths: two minutes on two cores

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f\u00a0%%", 100 * share);
  return text;
}

data::Image shown(const data::Image& image) {
  if (image.height <= kLargest && image.width <= kLargest) return enlarge(image, kSide);
  const double shrink = static_cast<double>(kLargest) / static_cast<double>(std::max(image.height, image.width));
  const auto side = [&](int64_t pixels) { return std::max<int64_t>(1, std::llround(shrink * static_cast<double>(pixels))); };
  return data::resize_image(image, side(image.height), side(image.width));
}

TrainOptions options_of(const Header& header) {
  TrainOptions options;
  for (const Field& field : train_fields(options)) {
    const auto stored = header.options.find(field.name);
    if (stored != header.options.end() && !stored->second.empty()) field.set(stored->second);
  }
  return options;
}

void check_same(const RunData& run, const data::Dataset& dataset, const std::string& name) {
  const auto stored = run.header->provenance.find(name);
  if (stored == run.header->provenance.end()) {
    const data::ClassMatch match = data::match_classes(run.header->class_names, dataset.class_names());
    HV_CHECK_INPUT(match == data::ClassMatch::same || match == data::ClassMatch::unknown, run.option("data"),
                   ": has other classes than the run");
    return;
  }
  HV_CHECK_INPUT(stored->second == dataset.checksum(), run.option("data"), ": not the ", split_name(dataset.split()),
                 " images of the run: checksum ", dataset.checksum(), ", expected ", stored->second);
}

const std::vector<double>& column(const Table& table, const std::string& name) {
  const std::vector<double>* found = table.find(name);
  HV_CHECK_INPUT(found, "predictions.csv: has no column ", name);
  return *found;
}

// Which image of the data set a row is about.
int64_t image_of(const Table& predictions, size_t row, const data::Dataset& test) {
  const double index = column(predictions, "index")[row];
  HV_CHECK_INPUT(index >= 0 && index < static_cast<double>(test.size()), "predictions.csv: image ", index, ", expected 0 to ",
                 test.size() - 1);
  return static_cast<int64_t>(index);
}

}  // namespace

RunImages::RunImages(const RunData& run) : run_(run) {
  HV_CHECK_INPUT(run.header && !run.widths.empty(),
                 "no checkpoint: ", run.problems.count("checkpoint") ? run.problems.at("checkpoint") : "");
  loaded_ = load_model(run.held);
  const std::string folder = run.option("data"), kind = run.option("kind");
  HV_CHECK_INPUT(!folder.empty(), loaded_.path, ": does not say which data it was trained on");
  source_ = {folder, kind.empty() ? "auto" : kind, loaded_.model->image_size()};
  train_ = data::open(source_, data::Split::train);
  test_ = data::open(source_, data::Split::test);
  for (const data::DatasetPtr& dataset : {train_, test_}) {
    HV_CHECK_INPUT(dataset->classes() == loaded_.model->classes() && dataset->height() == loaded_.model->image_size(), folder,
                   ": not the data of the run: ", dataset->classes(), " classes of ", dataset->height(), " pixels");
  }
  check_same(run, *train_, "data_checksum");
  check_same(run, *test_, "test_checksum");
  for (const WidthCost& width : run.widths) widths_.push_back(width.subnet);
}

data::DatasetPtr RunImages::validation() const {
  return data::has_validation(source_) ? data::open(source_, data::Split::validation) : nullptr;
}

int64_t RunImages::fitting(int64_t images, Pass pass) const {
  const double work = work_of(loaded_.model->config(), widths_, pass);
  HV_CHECK_INPUT(work <= kMostWork, loaded_.path, ": one image at all widths takes the time of ", work,
                 " multiply-adds, expected at most ", kMostWork, "; show fewer with --heads");
  return fitting_batch(loaded_.path, loaded_.model->config(), widths_, images, pass);
}

data::Image RunImages::test_image(int64_t i) const {
  data::Image image{test_->height(), test_->width(), std::vector<uint8_t>(static_cast<size_t>(test_->image_bytes()))};
  test_->image(i, image.chw.data());
  return image;
}

const std::string& RunImages::class_name(double k) const {
  HV_CHECK_INPUT(k >= 0 && k < static_cast<double>(test_->classes()), "predictions.csv: class ", k, ", expected 0 to ",
                 test_->classes() - 1);
  return test_->class_names()[static_cast<size_t>(k)];
}

std::string RunImages::labels_of(int64_t image) const {
  if (one_label()) return class_name(static_cast<double>(test_->label(image)));
  std::vector<Real> target(static_cast<size_t>(test_->classes()));
  test_->target(image, target.data());
  std::string text;
  for (size_t k = 0; k < target.size(); ++k) {
    if (target[k] > 0.5) text += (text.empty() ? "" : ", ") + test_->class_names()[k];
  }
  return text.empty() ? "none of the labels" : text;
}

Table RunImages::predict(int64_t limit, std::map<std::string, double>& images_per_second) {
  EvaluateOptions options;
  options.batch_size = fitting(options.batch_size, Pass::forward);
  const double fit = 10 * kMostWork / work_of(loaded_.model->config(), widths_);  // images
  options.limit = fit < static_cast<double>(limit) ? static_cast<int64_t>(fit) : limit;
  options.seed = loaded_.header.seed;
  Predictions predictions(widths_, *test_, options.limit, options.seed);
  options.seen = [&](size_t width, const Tensor& logits) { predictions.add(width, logits); };
  for (const Result& result : evaluate(*loaded_.model, widths_, *test_, options)) {
    images_per_second[result.subnet.label] = result.images_per_second;
  }
  return parse_table(predictions.csv(), "predictions");
}

bool RunImages::first_images(const Table& predictions) const {
  return image_of(predictions, predictions.rows() - 1, *test_) == static_cast<int64_t>(predictions.rows()) - 1;
}

std::vector<Tile> RunImages::show(const Table& predictions, const std::vector<size_t>& rows,
                                  const models::Subnet& subnet) const {
  const std::vector<double>&labels = column(predictions, "label"), &predicted = column(predictions, "predicted_" + subnet.name),
        &confidence = column(predictions, "confidence_" + subnet.name);
  std::vector<Tile> tiles;
  for (const size_t i : rows) {
    const int64_t index = image_of(predictions, i, *test_);
    tiles.push_back({shown(test_image(index)), concat("#", index, " ", class_name(labels[i]), ", seen as ",
                                                      class_name(predicted[i]), " ", percent(confidence[i]))});
  }
  return tiles;
}

std::vector<Tile> RunImages::worst(const Table& predictions, size_t count) const {
  const models::Subnet& widest = run_.widths.back().subnet;
  const std::vector<double>& loss = column(predictions, "loss_" + widest.name);
  HV_CHECK_INPUT(static_cast<int64_t>(loss.size()) <= test_->size(), "predictions.csv: ", loss.size(),
                 " rows, expected at most ", test_->size());
  std::vector<size_t> order(loss.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto size_of = [&](size_t i) { return std::isfinite(loss[i]) ? loss[i] : std::numeric_limits<double>::max(); };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return size_of(a) > size_of(b); });
  order.resize(std::min(order.size(), count));
  return show(predictions, order, widest);
}

std::vector<Tile> RunImages::augmented(size_t count) const {
  const TrainOptions o = options_of(*run_.header);
  data::LoaderConfig config;
  config.batch_size = std::min(o.batch_size, train_->size());
  config.seed = static_cast<uint64_t>(o.seed);
  config.augment = augmentation(o, *train_);
  config.shuffle = o.shuffle;
  config.limit = o.train_limit;
  const double bytes = 8.0 * static_cast<double>(config.batch_size * (train_->image_bytes() + 2 * train_->classes()));
  HV_CHECK_INPUT(bytes <= memory_budget(), "a batch of ", config.batch_size, " images needs ", bytes_text(bytes),
                 " of memory, there are ", bytes_text(memory_budget()), "; allow more with --memory");
  data::Loader loader(*train_, config);
  const data::Batch& batch = loader.at(0, 0);
  const auto plane = static_cast<size_t>(train_->height() * train_->width());
  const auto classes = static_cast<size_t>(train_->classes());
  const std::vector<double> targets = batch.targets.to_vector();
  std::vector<Tile> tiles;
  for (size_t b = 0; b < std::min(count, batch.labels.size()); ++b) {
    data::Image image{train_->height(), train_->width(), std::vector<uint8_t>(3 * plane)};
    const Real* value = batch.images.data() + b * 3 * plane;
    for (size_t i = 0; i < image.chw.size(); ++i) {
      const double byte =
          255 * (static_cast<double>(value[i]) * loaded_.header.std[i / plane] + loaded_.header.mean[i / plane]);
      image.chw[i] = static_cast<uint8_t>(std::clamp(std::lround(byte), 0L, 255L));
    }
    std::string caption;
    for (size_t k = 0; k < classes; ++k) {
      const double share = targets[b * classes + k];
      if (share > 0.005)
        caption += concat(caption.empty() ? "" : " + ", train_->class_names()[k], share > 0.995 ? "" : " " + percent(share));
    }
    tiles.push_back({shown(image), caption});
  }
  return tiles;
}

std::vector<int64_t> RunImages::choose(const Table& predictions, size_t count) const {
  const std::vector<double>& labels = column(predictions, "label");
  // By image. They are looked through in an order that does not begin with all images of one class.
  std::map<int64_t, size_t> rows;
  for (size_t i = 0; i < labels.size(); ++i) rows.emplace(image_of(predictions, i, *test_), i);
  const std::vector<int64_t> order = data::spread_order(*test_, loaded_.header.seed);
  std::vector<int64_t> chosen;
  std::vector<double> classes;
  const auto take = [&](size_t limit, bool new_class, auto wanted) {
    for (const int64_t index : order) {
      const auto row = rows.find(index);
      if (row == rows.end()) continue;
      if (chosen.size() >= limit) break;
      const size_t i = row->second;
      const bool seen = std::find(classes.begin(), classes.end(), labels[i]) != classes.end();
      if ((new_class && seen) || std::find(chosen.begin(), chosen.end(), index) != chosen.end() || !wanted(i)) continue;
      chosen.push_back(index);
      classes.push_back(labels[i]);
    }
  };
  const auto right = [&](size_t width, size_t i) {
    return column(predictions, "predicted_" + run_.widths[width].subnet.name)[i] == labels[i];
  };
  const auto all_right = [&](size_t i) {
    for (size_t w = 0; w < run_.widths.size(); ++w) {
      if (!right(w, i)) return false;
    }
    return true;
  };
  const auto widest_alone = [&](size_t i) { return right(run_.widths.size() - 1, i) && !right(0, i); };
  take(count / 2, true, all_right);
  take(count / 2, false, all_right);
  take(count, true, widest_alone);
  take(count, false, widest_alone);
  take(count, false, [](size_t) { return true; });
  return chosen;
}

Tensor RunImages::input_of(const data::Image& image) const {
  const Tensor input = Tensor::empty({1, 3, image.height, image.width});
  const int64_t pixels = image.height * image.width;
  data::Normalizer({loaded_.header.mean, loaded_.header.std})(image.chw.data(), pixels, input.mutable_data());
  return input;
}

void RunImages::check_index(int64_t index) const {
  HV_CHECK_USAGE(index >= 0 && index < test_->size(), "--images: ", index, " is not there; the test images are 0 to ",
                 test_->size() - 1);
}

RunImages::Look RunImages::look(int64_t index) {
  check_index(index);
  const NoGrad off;
  fitting(1, Pass::rollout);
  const data::Image image = test_image(index), large = shown(image);
  const Tensor input = input_of(image);
  const std::vector<size_t> some = a_few(grouped_views(widths_));
  const std::string label = labels_of(index);
  Look look{concat("Test image ", index, ": ", label), {{large, "the image: " + label}}};
  std::vector<Heat> heats;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const size_t i : some) {
    const Tensor rollout = loaded_.model->rollout(input, widths_[i]);
    if (!rollout.defined()) return {look.heading, {}};
    heats.push_back(heat_of(rollout, 0));
    for (const double value : heats.back().values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  for (size_t w = 0; w < heats.size(); ++w) {
    const models::Subnet& width = widths_[some[w]];
    std::string caption = subnet_text(width);
    if (one_label()) {
      const std::vector<double> probability = softmax(loaded_.model->forward(input, width)).to_vector();
      const auto best = std::max_element(probability.begin(), probability.end());
      caption += concat(": ", class_name(static_cast<double>(best - probability.begin())), " ", percent(*best));
    }
    look.tiles.push_back({overlay(large, heats[w], low, high), caption});
  }
  return look;
}

std::vector<Tile> RunImages::survivors(int64_t index, const models::Subnet& subnet) {
  check_index(index);
  fitting(1, Pass::forward);
  const data::Image image = test_image(index), large = shown(image);
  std::vector<Tile> tiles = {{large, concat("#", index, " ", labels_of(index))}};
  for (const Tensor& stage : loaded_.model->survivors(input_of(image), subnet)) {
    const Heat kept = heat_of(stage, 0);
    const auto left = std::count(kept.values.begin(), kept.values.end(), 1.0);
    tiles.push_back({darkened(large, kept), concat(left, " of ", kept.values.size(), " patches")});
  }
  return tiles;
}

std::vector<models::Subnet> strongest_pruning(const RunData& run) {
  const std::vector<models::Cost> costs = models::costs(run.header->model);
  const Views views = grouped_views(run.subnets());
  std::vector<models::Cost> widest;
  for (size_t i = 0; i < run.widths.size(); ++i) {
    const models::Cost& cost = costs.at(static_cast<size_t>(run.widths[i].subnet.id));
    // Only where the last pruning drops something.
    if (views.group[i] + 1 == views.groups && cost.tokens.size() > 1 && cost.tokens.back() < cost.tokens.front()) {
      widest.push_back(cost);
    }
  }
  std::vector<models::Subnet> found;
  for (const bool most : {true, false}) {
    const models::Cost* best = nullptr;
    for (const models::Cost& cost : widest) {
      const int64_t more = best ? cost.tokens[0] - best->tokens[0] : 0;
      const bool fewer = best && cost.tokens.back() < best->tokens.back();
      if (!best || (most ? more > 0 : more < 0) || (more == 0 && fewer)) best = &cost;
    }
    if (best && (found.empty() || found[0].id != best->subnet.id)) found.push_back(best->subnet);
  }
  return found;
}

}  // namespace hv::train
