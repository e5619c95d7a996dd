#include "train/recipes/sandwich.h"

#include <algorithm>

#include "core/random.h"
#include "nn/losses.h"
#include "train/state/load.h"

namespace hv::train {

SandwichRecipe::SandwichRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, SandwichOptions options,
                               Teacher teacher, double smoothing, uint64_t seed)
    : model_(model),
      subnets_(std::move(subnets)),
      options_(std::move(options)),
      teacher_(std::move(teacher)),
      smoothing_(smoothing),
      seed_(seed) {}

// The widths between the ends, cut at the middle of the grid, which counts to the upper half.
SandwichRecipe::Range SandwichRecipe::upper() const {
  const int64_t n = std::ssize(subnets_), middle = std::max<int64_t>(1, (n - 1) / 2);
  return {middle, std::max<int64_t>(0, n - 1 - middle)};
}
SandwichRecipe::Range SandwichRecipe::lower() const { return {1, upper().first - 1}; }

std::vector<models::Subnet> SandwichRecipe::trains(int64_t step) const {
  const int64_t n = std::ssize(subnets_);
  const auto at = [&](int64_t i) { return subnets_[static_cast<size_t>(i)]; };
  if (step < options_.full_steps) return {at(n - 1)};
  std::vector<int64_t> run;
  if (n <= 4) {
    for (int64_t i = n - 1; i >= 0; --i) run.push_back(i);
  } else {
    Stream stream(seed_, Purpose::width, static_cast<uint64_t>(step));
    const auto draw = [&](Range range) { return range.first + stream.below(static_cast<uint32_t>(range.count)); };
    int64_t wide, narrow;
    if (options_.stable_sampling) {
      wide = draw(upper());
      narrow = draw(lower());
    } else {  // two different ones
      wide = draw({1, n - 2});
      narrow = draw({1, n - 3});
      narrow += narrow >= wide;
      if (narrow > wide) std::swap(wide, narrow);
    }
    run = {n - 1, wide, narrow, 0};
  }
  std::vector<models::Subnet> nets;
  for (const int64_t i : run) nets.push_back(at(i));
  return nets;
}

double SandwichRecipe::share(const models::Subnet& subnet) const {
  const int64_t n = std::ssize(subnets_);
  const auto found = std::find_if(subnets_.begin(), subnets_.end(), [&](const auto& s) { return s.id == subnet.id; });
  if (found == subnets_.end()) return 0;
  const int64_t i = found - subnets_.begin();
  if (n <= 4 || i == 0 || i == n - 1) return 1;
  if (!options_.stable_sampling) return 2.0 / static_cast<double>(n - 2);
  return 1.0 / static_cast<double>(i >= upper().first ? upper().count : lower().count);
}

// Labels by the first classifier, the teacher by the last, half each (Touvron et al. 2021, "Training data-efficient image
// transformers", equation 3).
Tensor SandwichRecipe::full_loss(const std::vector<Tensor>& logits, const data::Batch& batch) const {
  const Tensor labels = cross_entropy(logits[0], batch.targets, smoothing_);
  // Without a teacher the last classifier, from which narrower nets learn, learns the labels, too. The authors' code leaves it
  // untrained then, and they never run it so: on CIFAR-10 scala-nano stayed at 17 to 23 % top-1 (4,016 steps).
  if (!teacher_ && logits.size() > 1) return (labels + cross_entropy(logits.back(), batch.targets, smoothing_)) * 0.5;
  if (!teacher_) return labels;
  Tensor taught;
  {
    const NoGrad off;
    taught = teacher_(batch.images);
  }
  if (options_.teacher_loss == "hard") return (labels + cross_entropy(logits.back(), argmax(taught))) * 0.5;
  // The authors' soft loss is a mean over images and classes.
  const nn::Distillation soft{options_.temperature};
  return (labels + soft(logits.back(), taught) * (1.0 / static_cast<double>(taught.size(1)))) * 0.5;
}

void SandwichRecipe::run(const std::vector<models::Subnet>& nets, const data::Batch& batch, const Learn& learn) {
  const nn::Distillation transfer{1};
  Tensor teacher;  // logits of the net that teaches, without their graph
  for (const models::Subnet& net : nets) {
    Tensor loss, own;
    {
      const std::vector<Tensor> logits = model_.outputs(batch.images, net);
      const Tensor& learner = options_.transfer == "dist" ? logits.back() : logits.front();
      own = learner.detach();
      if (!teacher.defined()) {
        loss = full_loss(logits, batch);
      } else {
        loss = transfer(learner, teacher) * options_.distill;
        // The authors smooth these labels only where mixup does so: in a batch that it has mixed.
        if (options_.calibrate) loss = loss + cross_entropy(logits[0], batch.targets, batch.mixed ? smoothing_ : 0);
      }
    }
    learn(net, loss);
    if (!teacher.defined() || options_.teacher_chain == "next") teacher = own;
  }
}

void SandwichRecipe::passes(const data::Batch& batch, int64_t step, const Learn& learn) { run(trains(step), batch, learn); }

namespace {

SandwichRecipe::Teacher load_teacher(const std::string& path, const models::ElasticModel& student) {
  if (path.empty()) return {};
  const auto loaded = std::make_shared<Loaded>(load_model(path));
  HV_CHECK_INPUT(loaded->model->classes() == student.classes() && loaded->model->image_size() == student.image_size(), path,
                 ": a teacher of ", loaded->model->classes(), " classes and images of ", loaded->model->image_size(),
                 ", expected ", student.classes(), " and ", student.image_size(), ": train one on the same data");
  return [loaded](const Tensor& images) { return loaded->model->forward(images, loaded->model->subnets().back()); };
}

RecipeKind kind_of(const std::string& name) {
  RecipeKind kind{name, {}, {}};
  kind.labels = Labels::exclusive;
  kind.options = [](TrainOptions& options) {
    SandwichOptions& own = options.own<SandwichOptions>();
    return Fields{
        {"teacher", &own.teacher, "a checkpoint that teaches the full net; default: labels alone"},
        {"teacher-loss",
         &own.teacher_loss,
         "what the full net learns from it: its choice, or its probabilities",
         0,
         0,
         {"hard", "soft"}},
        {"teacher-chain",
         &own.teacher_chain,
         "who teaches a narrower net: the next wider one of the step, or the full one",
         0,
         0,
         {"next", "full"}},
        {"transfer", &own.transfer, "the classifier that narrower nets learn by, where there are two", 0, 0, {"dist", "cls"}},
        {"distill", &own.distill, "weight of what wider nets teach", 0, 1000},
        {"temperature", &own.temperature, "of the teacher's probabilities", 0.01, 100},
        {"stable-sampling", &own.stable_sampling, "draw one net of the wider half and one of the narrower"},
        {"calibrate", &own.calibrate, "narrower nets learn the labels, too"},
        {"full-steps", &own.full_steps, "so many first steps train the full net alone", 0, kMany}};
  };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options) {
    const SandwichOptions own = options.own<SandwichOptions>();
    return std::make_unique<SandwichRecipe>(model, subnets, own, load_teacher(own.teacher, model), options.smoothing,
                                            static_cast<uint64_t>(options.seed));
  };
  return kind;
}

}  // namespace

RecipeKind sandwich_recipe() { return kind_of("sandwich"); }
RecipeKind scala_recipe() { return kind_of("scala"); }

}  // namespace hv::train
