// hydravit predict: the most probable classes of image files, at a chosen width.
#include <algorithm>
#include <cstdio>

#include "core/ops.h"
#include "data/augment.h"
#include "data/image.h"
#include "train/commands/commands.h"
#include "train/json.h"
#include "train/setup.h"

namespace hv::train {
namespace {

struct PredictArguments {
  std::vector<std::string> checkpoint, images;
  std::string heads;
  int64_t topk = 3, threads = 0;
  bool ema = false, json = false;
};

Prediction predict(models::ElasticModel& model, const Header& header, const models::Subnet& width, const std::string& path, int64_t topk) {
  const int64_t side = model.image_size();
  const data::Image image = data::resize_and_crop(data::load_image(path), side);
  const Tensor input = Tensor::empty({1, 3, side, side});
  data::Normalizer({header.mean, header.std})(image.chw.data(), side * side, input.data());
  const std::vector<double> probability = softmax(model.forward(input, width)).to_vector();
  std::vector<size_t> order(probability.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return probability[a] > probability[b]; });
  Prediction prediction{path, width.key, {}};
  for (size_t i = 0; i < order.size() && static_cast<int64_t>(i) < topk; ++i) {
    prediction.classes.emplace_back(header.class_names[order[i]], probability[order[i]]);
  }
  return prediction;
}

int run_predict(const PredictArguments& a) {
  start_compute(a.threads);
  const Loaded loaded = load_model(a.checkpoint.at(0), a.ema);
  const std::vector<models::Subnet> all = loaded.model->subnets();
  const std::vector<models::Subnet> widths = a.heads.empty() ? std::vector{all.back()} : choose_widths(*loaded.model, a.heads);
  const NoGrad off;
  std::vector<Prediction> predictions;
  for (const std::string& image : a.images) {
    for (const models::Subnet& width : widths) predictions.push_back(predict(*loaded.model, loaded.header, width, image, a.topk));
  }
  if (a.json) {
    std::printf("%s\n", predict_json(predictions).c_str());
    return 0;
  }
  for (const Prediction& p : predictions) {
    std::printf("%s  heads=%lld ", p.image.c_str(), static_cast<long long>(p.heads));
    for (const auto& [name, probability] : p.classes) std::printf("  %s %.1f%%", name.c_str(), 100 * probability);
    std::printf("\n");
  }
  return 0;
}

}  // namespace

Command predict_command() {
  const auto a = std::make_shared<PredictArguments>();
  Fields fields = {
      {"heads", &a->heads, "widths, as 5 or 3-8; default: the widest"},
      {"topk", &a->topk, "classes to show", 1, 1000},
      {"threads", &a->threads, "cores to use; 0: all", 0, 1024},
      {"ema", &a->ema, "use the averaged weights", 0, 0, {}, true},
      {"json", &a->json, "machine-readable output", 0, 0, {}, true},
  };
  return {"predict", "classes of PNG or JPEG images", std::move(fields),
          {{"CKPT", "checkpoint or run folder", &a->checkpoint}, {"IMAGE", "PNG or JPEG files", &a->images, true}},
          [a](const std::set<std::string>&) { return run_predict(*a); }};
}

}  // namespace hv::train
