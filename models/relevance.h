// Relevance: which parts of an image speak for one label. Unlike a rollout it differs from label to label.
//
// Gradient-weighted attention (Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and
// Encoder-Decoder Transformers", ICCV 2021, section 3). With R = I before the first block, each block does
//     R <- R + A' R,  A' = mean over heads of max(dy/dA * A, 0)
// for its map A and the logit y of the label. What the classifier reads of R - I, over the patches, is the result: the rows of
// the first tokens, or if it reads the mean of the patches, the mean of their rows. Rows of dropped tokens are dropped.
// Thread rule: as nn/module.h.
#pragma once

#include "models/elastic.h"

namespace hv::models {

// images [B, C, H, W], normalised -> [B, side, side] of shares that sum to 1, or all 0 for an image in which nothing speaks for
// the label. Undefined if the model records no maps (nn/probe.h). The model is in evaluation mode meanwhile, and its gradients
// stay as they are. Inside NoGrad it is an error (Fault::failure).
Tensor relevance(ElasticModel& model, const Tensor& images, const Subnet& subnet, int64_t label);

}  // namespace hv::models
