#include "nn/probe.h"

#include "core/ops/attention_maps.h"

namespace hv::nn {
namespace {

thread_local Probe* current = nullptr;

}  // namespace

Probe::Probe() : outer_(current) { current = this; }
Probe::~Probe() { current = outer_; }

Tensor probe_begin(const Tensor& tokens, int64_t first) {
  if (!current) return tokens;
  current->steps_.clear();
  current->first_tokens_ = first;
  current->tokens_ = tokens.size(1);
  current->reads_patches_ = false;
  return tokens.detach();
}

Tensor probed_attention(const Tensor& qkv, const HeadLayout& layout) {
  if (!current) return attention(qkv, layout);
  return attention_through(qkv, layout, [](const Tensor& maps) {
    const Tensor leaf = Tensor::zeros(maps.shape()).requires_grad_();
    current->steps_.push_back({maps.detach(), leaf});
    return maps + leaf;
  });
}

void probe_picks(std::span<const int64_t> picked, int64_t left) {
  if (current) current->steps_.push_back({{}, {}, {picked.begin(), picked.end()}, left});
}

void probe_reads_patches() {
  if (current) current->reads_patches_ = true;
}

}  // namespace hv::nn
