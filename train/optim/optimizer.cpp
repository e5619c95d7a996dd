#include "train/optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/autograd.h"
#include "core/kernels/simd.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv::train {
namespace {

constexpr int64_t kChunkElements = 16384;

// Cuts the part of a parameter that `view` shows into chunks. Neighbouring dimensions that are contiguous are joined. A leading
// rectangle then becomes rows of one length.
void cut(size_t parameter, const Tensor& view, std::vector<Chunk>& chunks) {
  if (view.numel() == 0) return;
  Dims sizes, strides;  // of the joined dimensions, outermost first, without those of size 1
  for (int d = 0; d < view.rank(); ++d) {
    const int64_t size = view.size(d), stride = view.strides()[d];
    if (size == 1) continue;
    if (!sizes.empty() && strides[-1] == size * stride) {
      sizes[-1] *= size;
      strides[-1] = stride;
    } else {
      sizes.push_back(size);
      strides.push_back(stride);
    }
  }
  if (sizes.empty()) {
    sizes.push_back(1);
    strides.push_back(1);
  }
  HV_CHECK(strides[-1] == 1, "optimizer: a live part must have unit stride inside: ", view.shape(), " strides ",
           view.strides());
  const int64_t length = sizes[-1];
  const int64_t rows = sizes.size() > 1 ? sizes[-2] : 1, stride = sizes.size() > 1 ? strides[-2] : 0;
  int64_t outer = 1;
  for (int d = 0; d < sizes.size() - 2; ++d) outer *= sizes[d];
  for (int64_t o = 0; o < outer; ++o) {
    int64_t base = view.offset(), rest = o;
    for (int d = sizes.size() - 3; d >= 0; --d) {
      base += rest % sizes[d] * strides[d];
      rest /= sizes[d];
    }
    const int64_t piece = std::min(length, kChunkElements), together = std::max<int64_t>(1, kChunkElements / length);
    for (int64_t row = 0; row < rows; row += together) {
      for (int64_t at = 0; at < length; at += piece) {
        chunks.push_back(
            {parameter, base + row * stride + at, std::min(together, rows - row), std::min(piece, length - at), stride});
      }
    }
  }
}

// True if a contains b. Both are slices of `whole`: rectangles with a corner and a size per dimension.
bool holds(const Tensor& whole, const Tensor& a, const Tensor& b) {
  int64_t a_rest = a.offset(), b_rest = b.offset();
  for (int d = 0; d < whole.rank(); ++d) {
    const int64_t stride = std::max<int64_t>(1, whole.strides()[d]), a_begin = a_rest / stride, b_begin = b_rest / stride;
    if (a_begin > b_begin || a_begin + a.size(d) < b_begin + b.size(d)) return false;
    a_rest %= stride;
    b_rest %= stride;
  }
  return true;
}

// Cuts the union of the parts into chunks; each element lies in one chunk. If one part contains all others, as with the widths
// of HydraViT, it is the union. Otherwise the parts are split into ranges of memory, and ranges that overlap are merged.
void cut_union(size_t parameter, const Tensor& whole, const std::vector<Tensor>& parts, std::vector<Chunk>& chunks) {
  for (const Tensor& part : parts) {
    const auto inside = [&](const Tensor& other) { return holds(whole, part, other); };
    if (std::all_of(parts.begin(), parts.end(), inside)) return cut(parameter, part, chunks);
  }
  std::vector<Chunk> pieces;
  for (const Tensor& part : parts) cut(parameter, part, pieces);
  std::vector<std::pair<int64_t, int64_t>> stretches;  // begin, end
  for (const Chunk& piece : pieces) {
    for (int64_t row = 0; row < piece.rows; ++row) {
      const int64_t begin = piece.offset + row * piece.stride;
      stretches.emplace_back(begin, begin + piece.length);
    }
  }
  std::sort(stretches.begin(), stretches.end());
  int64_t done = 0;
  for (const auto& [begin, end] : stretches) {
    for (int64_t at = std::max(begin, done); at < end; at += kChunkElements) {
      chunks.push_back({parameter, at, 1, std::min(kChunkElements, end - at), 0});
    }
    done = std::max(done, end);
  }
}

class AdamW : public Optimizer {
 public:
  AdamW(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config) : Optimizer(parameters, config) {
    add_state("m");
    add_state("v");
  }

 private:
  void begin(double lr, double scale, double ema_decay) override {
    // The bias corrections are those of the rounded betas, with which the moments are summed: so a constant gradient has the
    // moments g and g^2 at every step.
    const Real beta1 = static_cast<Real>(config_.beta1), beta2 = static_cast<Real>(config_.beta2);
    const auto correction = [t = static_cast<double>(steps_)](Real beta) {
      return static_cast<Real>(1 - std::pow(static_cast<double>(beta), t));
    };
    shared_ = {.theta = nullptr,
               .grad = nullptr,
               .m = nullptr,
               .v = nullptr,
               .ema = nullptr,
               .n = 0,
               .lr = static_cast<Real>(lr),
               .beta1 = beta1,
               .beta2 = beta2,
               .eps = static_cast<Real>(config_.eps),
               .decay = static_cast<Real>(config_.weight_decay),
               .correction1 = correction(beta1),
               .correction2 = correction(beta2),
               .grad_scale = static_cast<Real>(scale),
               .ema_decay = static_cast<Real>(ema_decay)};
  }
  void update(const Run& run) const override {
    simd::AdamWChunk chunk = shared_;
    chunk.theta = run.weight;
    chunk.grad = run.gradient;
    chunk.m = run.state[0];
    chunk.v = run.state[1];
    chunk.ema = run.ema;
    chunk.n = run.length;
    if (!run.decay) chunk.decay = 0;
    simd::kernels().adamw(chunk);
  }
  simd::AdamWChunk shared_{};
};

class Sgd : public Optimizer {
 public:
  Sgd(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config) : Optimizer(parameters, config) {
    add_state("momentum");
  }

 private:
  void begin(double lr, double scale, double ema_decay) override {
    lr_ = static_cast<Real>(lr);
    scale_ = static_cast<Real>(scale);
    momentum_ = static_cast<Real>(config_.momentum);
    keep_ = static_cast<Real>(ema_decay);
  }
  // b = momentum * b + g + decay * w;  w -= lr * b   (as torch.optim.SGD: the decay is added to the gradient)
  void update(const Run& run) const override {
    const Real decay = run.decay ? static_cast<Real>(config_.weight_decay) : 0;
    for (int64_t i = 0; i < run.length; ++i) {
      const Real b = momentum_ * run.state[0][i] + run.gradient[i] * scale_ + decay * run.weight[i];
      run.state[0][i] = b;
      run.weight[i] -= lr_ * b;
    }
    if (!run.ema) return;
    for (int64_t i = 0; i < run.length; ++i) run.ema[i] = keep_ * run.ema[i] + (1 - keep_) * run.weight[i];
  }
  Real lr_ = 0, scale_ = 1, momentum_ = 0, keep_ = 0;
};

}  // namespace

Optimizer::Optimizer(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config)
    : config_(config), parameters_(parameters) {
  for (size_t i = 0; i < parameters_.size(); ++i) cut(i, parameters_[i].value, chunks_);
}

void Optimizer::add_state(const std::string& name) {
  State state{name, {}};
  for (const nn::Parameter& parameter : parameters_) state.values.push_back(Tensor::zeros(parameter.value.shape()));
  states_.push_back(std::move(state));
}

double Optimizer::gradient_norm() const {
  const PartTimer timer(Part::optimizer);
  partial_.resize(chunks_.size());
  std::vector<const Real*> gradients;
  for (const nn::Parameter& parameter : parameters_) {
    const Tensor g = parameter.value.grad();
    gradients.push_back(g.defined() ? g.data() : nullptr);
  }
  parallel_for(static_cast<int64_t>(chunks_.size()), [&](int64_t i) {
    const size_t c = static_cast<size_t>(i);
    const Chunk& chunk = chunks_[c];  // one row, because whole parameters are contiguous
    partial_[c] = 0;
    if (const Real* g = gradients[chunk.parameter]) simd::kernels().sum_squares(g + chunk.offset, chunk.length, &partial_[c]);
  });
  double sum = 0;
  for (const double part : partial_) sum += part;
  return std::sqrt(sum);
}

const std::vector<Chunk>& Optimizer::chunks_of(const Live& live) {
  if (live.empty()) return chunks_;
  std::vector<Place> places;
  for (const std::vector<Tensor>& parts : live) {
    HV_CHECK(parts.size() == parameters_.size(), "optimizer: ", parts.size(), " live parts for ", parameters_.size(),
             " parameters");
    for (const Tensor& part : parts)
      places.emplace_back(part.defined() ? part.shape() : Shape{0}, part.defined() ? part.offset() : 0);
  }
  for (const auto& [known, chunks] : live_) {
    if (known == places) return chunks;
  }
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    std::vector<Tensor> parts;
    for (const std::vector<Tensor>& all : live) {
      if (all[i].defined() && all[i].numel() > 0) parts.push_back(all[i]);
    }
    cut_union(i, parameters_[i].value, parts, chunks);
  }
  live_.emplace_back(std::move(places), std::move(chunks));
  return live_.back().second;
}

void Optimizer::step(double lr, double scale, const std::vector<Tensor>& ema, double ema_decay, const Live& live) {
  HV_CHECK(ema.empty() || ema.size() == parameters_.size(), "optimizer: ", ema.size(), " averages for ", parameters_.size(),
           " parameters");
  const PartTimer timer(Part::optimizer);
  const std::vector<Chunk>& chunks = chunks_of(live);
  std::vector<Run> whole;  // the pointers at which each parameter begins
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& weight = parameters_[i].value;
    // Zeros, if no backward pass has reached the parameter yet. So it does not matter whether that was before a resume.
    const Tensor gradient = Edge(weight).zeros_or_partial();
    Run run{
        weight.mutable_data(), gradient.mutable_data(), {nullptr, nullptr}, ema.empty() ? nullptr : ema[i].mutable_data(), 0,
        parameters_[i].decay};
    for (size_t s = 0; s < states_.size(); ++s) run.state[s] = states_[s].values[i].mutable_data();
    whole.push_back(run);
  }
  ++steps_;  // nothing throws from here on: a step is taken whole or not at all
  begin(lr, scale, ema_decay);
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    const Chunk& chunk = chunks[static_cast<size_t>(i)];
    Run run = whole[chunk.parameter];
    const auto move = [&](int64_t by) {
      for (Real** pointer : {&run.weight, &run.gradient, &run.ema, &run.state[0], &run.state[1]}) {
        if (*pointer) *pointer += by;
      }
    };
    move(chunk.offset);
    run.length = chunk.length;
    if (!live.empty()) run.ema = nullptr;
    for (int64_t row = 0; row < chunk.rows; ++row) {
      update(run);
      std::fill(run.gradient, run.gradient + run.length, Real{0});
      move(chunk.stride);
    }
  });
  if (live.empty() || ema.empty()) return;
  // The average is computed over all weights, also over those that this step did not change.
  const Real keep = static_cast<Real>(ema_decay);
  parallel_for(static_cast<int64_t>(chunks_.size()), [&](int64_t i) {
    const Chunk& chunk = chunks_[static_cast<size_t>(i)];
    Real* average = whole[chunk.parameter].ema + chunk.offset;
    const Real* weight = whole[chunk.parameter].weight + chunk.offset;
    for (int64_t j = 0; j < chunk.length; ++j) average[j] = keep * average[j] + (1 - keep) * weight[j];
  });
}

const std::vector<std::string>& optimizer_names() {
  static const std::vector<std::string> names = {"adamw", "sgd"};
  return names;
}

std::unique_ptr<Optimizer> make_optimizer(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config) {
  if (config.kind == "sgd") return std::make_unique<Sgd>(parameters, config);
  HV_CHECK_USAGE(config.kind == "adamw", "optimizer: '", config.kind, "' is unknown; choose adamw or sgd");
  return std::make_unique<AdamW>(parameters, config);
}

}  // namespace hv::train
