// hydravit slim search CKPT, slim cut RUN: ViT-Slim's two steps; the third is train --init CUT.
#include "train/commands/commands.h"
#include "train/slim/run_cut.h"
#include "train/slim/search.h"

namespace hv::train {
namespace {

Command cut_command() {
  const auto a = std::make_shared<CutArguments>();
  Fields fields = {
      {"attention", &a->options.attention, "share of the dimensions of heads that stay", 1e-4, 1},
      {"mlp", &a->options.mlp, "share of the hidden units that stay", 1e-4, 1},
      {"tokens", &a->options.tokens, "share of the tokens, summed over blocks, that stay at least", 1e-4, 1},
      {"nested", &a->options.nested, "several budgets of attention and mlp in one model, as 0.5,0.7,1"},
      {"macs", &a->options.macs, "instead: the largest budget that costs at most so many MACs, or so much, as 60%"},
      {"ms", &a->options.ms, "instead: the largest budget at which an image takes at most so long here", 0, 1e6},
      {"round", &a->options.round, "sizes become multiples of this", 1, 64},
      {"mask-tokens",
       &a->options.mask_tokens,
       "tokens that go are zeros, as in the authors' code, instead of gone",
       0,
       0,
       {},
       true},
      {"ema", &a->ema, "cut the averaged weights, by the averaged masks", 0, 0, {}, true},
      {"out", &a->out, "the checkpoint of the cut model"},
      {"force", &a->force, "replace a file of another kind, or the input", 0, 0, {}, true},
      {"json", &a->json, "machine-readable output", 0, 0, {}, true},
  };
  return {"cut",
          "cut a searched model to a budget",
          std::move(fields),
          {{"run", "run folder or checkpoint of a search", &a->run}},
          [a](const std::set<std::string>& given) { return run_cut(*a, given); }};
}

// The paper's options of a search, whose rate does not fall; of its 50 epochs one machine gets ten.
Command search_command() {
  const auto of = std::make_shared<std::vector<std::string>>();
  TrainOptions defaults;
  defaults.lr = 5e-4;
  defaults.schedule = "constant";
  defaults.weight_decay = 1e-3;
  defaults.warmup = 0;
  return training_command("search", "learn which dimensions, hidden units and tokens of a finished model matter", defaults,
                          {{"checkpoint", "the finished model: run folder or checkpoint", of.get()}},
                          [of](TrainOptions& options) { prepare_search(options, of->at(0)); });
}

}  // namespace

Command slim_command() {
  Command slim{"slim", "cut a finished model down to what matters (ViT-Slim)", {}, {}, {}};
  slim.parts = {search_command(), cut_command()};
  return slim;
}

}  // namespace hv::train
