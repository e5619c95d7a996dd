// What vision transformers of stacked heads share: one transformer, whose first k heads are one, too.
//
// Letters: B images, T tokens (one CLS token and one per patch), E the full width, p = k * head_dim the width of k heads.
// Invariants
//   1. The width is chosen once, by embed(). Every later layer reads the width from its input.
//   2. QKV rows are packed (head, {q, k, v}, head_dim), so the first k heads are the first 3p rows and p columns.
//   3. The order of parameters and of the draws of their first weights never changes: checkpoints and seeds depend on it.
//   4. A subnetwork is a width and a view (models/token_axes.h): a size that images are resized to, a rate of tokens to keep.
// Thread rule: as nn/module.h.
#pragma once

#include <memory>
#include <vector>

#include "models/backbone.h"
#include "models/classifiers.h"
#include "models/positions.h"
#include "models/vit.h"

namespace hv::models {

class StackedVit : public ElasticModel, public Backbone {
 public:
  Tensor forward(const Tensor& images, const Subnet& subnet) override;  // the CLS token decides: [B, C, H, W] -> [B, classes]
  nn::Lazy features(const Tensor& images, const Subnet& subnet, const nn::Keep& keep) override;
  nn::Lazy classify(const nn::Lazy& x, const Subnet& subnet) const override { return head_(x, subnet.id); }
  int64_t width_of(const Subnet& subnet) const override { return width(subnet); }
  int64_t full_width() const override { return full(); }
  Tensor rollout(const Tensor& images, const Subnet& subnet) override;                 // [B, side, side]: vit_rollout()
  std::vector<Tensor> survivors(const Tensor& images, const Subnet& subnet) override;  // vit_survivors()
  // The tokens after the embedding, then after each block, [B, T, p]: for tests, without a gradient. `picked`, if not null,
  // becomes what each block has picked (nn::Block::prune).
  std::vector<Tensor> hidden(const Tensor& images, const Subnet& subnet, std::vector<std::vector<int64_t>>* picked = nullptr);

  const std::vector<Subnet>& subnets() const override { return subnets_; }
  std::vector<Tensor> active(const Subnet& subnet) const override;
  int64_t params(const Subnet& subnet) const override { return cost(subnet).params; }
  int64_t macs(const Subnet& subnet) const override { return cost(subnet).macs; }
  int64_t classes() const override { return vit_.classes; }
  int64_t image_size() const override { return vit_.image; }

 protected:
  struct Plan {
    const char* kind;  // begins the text of errors
    int64_t head_dim;
    Bands bands;              // which classifier a subnetwork uses, its width, and E
    std::vector<Cost> costs;  // of all subnetworks
    bool decays_positions = false;
  };
  StackedVit(const VitConfig& config, Plan plan, uint64_t seed);  // `config` has been checked

  Tensor embed(const Tensor& images, const Subnet& subnet);  // [B, C, H, W] -> [B, T, p]: patches, CLS token, positions
  // Blocks and last norm: [B, T, p] -> the kept tokens
  nn::Lazy encode(const Tensor& x, const Subnet& subnet, const nn::Keep& keep) const;
  Tensor rollout_from(const Tensor& embedded, const Subnet& subnet) const;
  void copy_to(ElasticModel& alone, const Subnet& subnet) const;  // the subnetwork's weights into a model of it alone
  int64_t width(const Subnet& subnet) const { return plan_.bands.width_of(subnet.id); }
  int64_t full() const { return plan_.bands.full(); }  // E
  const Bands& bands() const { return plan_.bands; }
  View view(const Subnet& subnet) const { return axes_.view(subnet.id); }
  Pruning pruning(const Subnet& subnet) const { return {axes_, 1, view(subnet).keep}; }

  nn::Init init_;

 private:
  const Cost& cost(const Subnet& subnet) const { return plan_.costs.at(static_cast<size_t>(subnet.id)); }
  int64_t side(const Subnet& subnet) const { return view(subnet).size / vit_.patch; }

  VitConfig vit_;
  Plan plan_;
  TokenAxes axes_;
  std::vector<Subnet> subnets_;
  nn::Parameter cls_token_;
  Positions positions_;
  nn::PatchEmbed patch_embed_;
  nn::Dropout pos_drop_;
  Blocks blocks_;
  nn::LayerNorm norm_;
  Classifiers head_;
};

}  // namespace hv::models
