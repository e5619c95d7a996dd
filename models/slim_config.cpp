// A configuration as text and back, what a budget costs: the row of models/kinds.h.
#include <algorithm>
#include <charconv>
#include <numeric>

#include "models/config_reader.h"
#include "models/slim.h"

namespace hv::models {
namespace {

// One list of the fields, for both directions.
template <class C, class Visit>
void visit_fields(C& c, Visit& visit) {
  visit_vit(c, visit);
  visit("width", c.width, 1, 1 << 16);
  visit("head_dim", c.head_dim, 1, 1024);
  visit("budgets", c.budgets);
  visit("head_dims", c.head_dims);
  visit("hidden", c.hidden);
  visit.optional("life", c.life, "all");
  visit.optional("tokens_by", c.tokens_by, "removed");
}

// At most `most` parts, counted before any memory is taken.
std::vector<std::string> split(const char* entry, const std::string& text, char by, int64_t most) {
  const int64_t count = std::count(text.begin(), text.end(), by) + 1;
  HV_CHECK_INPUT(count <= most, "model: ", entry, ": expected at most ", most, " parts divided by '", by, "', found ", count);
  std::vector<std::string> parts = {""};
  for (const char c : text) {
    if (c == by) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// "16,9,0": whole numbers from 0 to `most`.
std::vector<int64_t> numbers(const char* entry, const std::string& text, int64_t most, int64_t count) {
  std::vector<int64_t> list;
  for (const std::string& part : split(entry, text, ',', count)) {
    int64_t value = -1;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    HV_CHECK_INPUT(error == std::errc() && end == part.data() + part.size() && value >= 0 && value <= most, "model: ", entry,
                   ": expected whole numbers from 0 to ", most, ", as 16,9,0; found '", part.substr(0, 40), "'");
    list.push_back(value);
  }
  return list;
}

// Of untrusted lists: more budgets than anybody cuts, and blocks or heads.
constexpr int64_t kMostBudgets = 1024, kMost = 512;

template <class Part>
std::string join(const std::vector<Part>& parts, char by, std::string (*text)(const Part&)) {
  std::string all;
  for (size_t i = 0; i < parts.size(); ++i) all += (i > 0 ? std::string(1, by) : "") + text(parts[i]);
  return all;
}

int64_t total(const std::vector<int64_t>& list) { return std::accumulate(list.begin(), list.end(), int64_t{0}); }

// Without memory for all tokens, of which a file of a few bytes may claim millions.
std::vector<int64_t> lives_if_any(const SlimConfig& c) { return c.life == "all" ? std::vector<int64_t>{} : c.lives(); }

// Tokens that take part in block i; no lives: all of them.
int64_t tokens_in(const SlimConfig& c, const std::vector<int64_t>& lives, int64_t block) {
  if (c.tokens_by == "masked" || lives.empty()) return c.patches() + 1;
  return std::count_if(lives.begin(), lives.end(), [&](int64_t life) { return life > block; });
}

int64_t params_of(const SlimConfig& c, const SlimSizes& sizes) {
  const int64_t e = c.width, k = c.channels * c.patch * c.patch;
  int64_t params = e * k + e + e + (c.patches() + 1) * e + 2 * e + e * c.classes + c.classes;
  for (size_t i = 0; i < sizes.hidden.size(); ++i) {
    const int64_t h = total(sizes.heads[i]), m = sizes.hidden[i];
    params += 4 * e + 3 * h * (e + 1) + e * (h + 1) + m * (e + 1) + e * (m + 1);
  }
  return params;
}

// As vit_macs, with H dimensions of heads and M hidden units: T 4 E H + 2 T^2 H + T 2 E M.
int64_t macs_of(const SlimConfig& c, const SlimSizes& sizes) {
  int64_t macs = c.patches() * c.width * c.channels * c.patch * c.patch + c.width * c.classes;
  const std::vector<int64_t> lives = lives_if_any(c);
  for (size_t i = 0; i < sizes.hidden.size(); ++i) {
    const int64_t h = total(sizes.heads[i]), t = tokens_in(c, lives, static_cast<int64_t>(i));
    macs += 4 * t * c.width * h + 2 * t * t * h + 2 * t * c.width * sizes.hidden[i];
  }
  return macs;
}

int64_t norm_macs_of(const SlimConfig& c) {
  const std::vector<int64_t> lives = lives_if_any(c);
  int64_t rows = tokens_in(c, lives, c.depth - 1);
  for (int64_t i = 0; i < c.depth; ++i) rows += 2 * tokens_in(c, lives, i);
  return 5 * rows * c.width;
}

// The largest budget, whose rows of qkv lie together in a model of it alone.
LayeredVit layers_of(const SlimConfig& c) {
  const SlimSizes sizes = c.sizes().back();
  LayeredVit all;
  all.outer = plain_of(c, {.width = c.width, .heads = std::ssize(sizes.heads[0])});
  all.outer.scale_dim = c.head_dim;
  for (size_t i = 0; i < sizes.hidden.size(); ++i) all.blocks.push_back({sizes.heads[i], sizes.hidden[i]});
  all.lives = lives_if_any(c);
  if (std::all_of(all.lives.begin(), all.lives.end(), [&](int64_t n) { return n == c.depth; })) all.lives.clear();
  all.masked = c.tokens_by == "masked";
  return all;
}

}  // namespace

std::vector<double> SlimConfig::shares() const {
  split("budgets", budgets, ',', kMostBudgets);
  return real_list(budgets, {"budgets", "budgets", "0.5,0.7 or 1", 1e-4, 1});
}

std::vector<SlimSizes> SlimConfig::sizes() const {
  const std::vector<std::string> by_budget = split("head_dims", head_dims, ';', kMostBudgets),
                                 units = split("hidden", hidden, ';', kMostBudgets);
  const size_t count = shares().size();
  HV_CHECK_INPUT(by_budget.size() == count && units.size() == count, "model: head_dims: expected the sizes of ", count,
                 " budgets in head_dims and hidden, found ", by_budget.size(), " and ", units.size());
  std::vector<SlimSizes> all;
  for (size_t b = 0; b < count; ++b) {
    SlimSizes sizes;
    for (const std::string& block : split("head_dims", by_budget[b], '/', kMost)) {
      sizes.heads.push_back(numbers("head_dims", block, head_dim, kMost));
    }
    sizes.hidden = numbers("hidden", units[b], mlp_ratio * width, kMost);
    HV_CHECK_INPUT(std::ssize(sizes.heads) == depth && std::ssize(sizes.hidden) == depth, "model: head_dims: expected ", depth,
                   " blocks, found ", sizes.heads.size(), " in head_dims and ", sizes.hidden.size(), " in hidden");
    for (size_t i = 0; i < sizes.heads.size(); ++i) {
      const size_t heads = sizes.heads[0].size();
      HV_CHECK_INPUT(sizes.heads[i].size() == heads && heads <= 256, "model: head_dims: expected ",
                     std::min<size_t>(heads, 256), " heads in each block, found ", sizes.heads[i].size());
      if (b == 0) continue;
      const SlimSizes& less = all.back();
      bool nested = less.heads[i].size() == heads && less.hidden[i] <= sizes.hidden[i];
      for (size_t h = 0; nested && h < heads; ++h) nested = less.heads[i][h] <= sizes.heads[i][h];
      HV_CHECK_INPUT(nested, "model: head_dims: a budget has less than the one before it, in block ", i);
    }
    all.push_back(std::move(sizes));
  }
  return all;
}

std::vector<int64_t> SlimConfig::lives() const {
  const int64_t tokens = patches() + 1;
  if (life == "all") return std::vector<int64_t>(static_cast<size_t>(tokens), depth);
  const std::vector<int64_t> list = numbers("life", life, depth, tokens + 1);
  HV_CHECK_INPUT(std::ssize(list) == tokens, "model: life: expected ", tokens, " tokens, found ", list.size());
  HV_CHECK_INPUT(tokens_by == "masked" || list[0] == depth, "model: life: the first token decides, so it lives for ", depth,
                 " blocks; found ", list[0]);
  return list;
}

void SlimConfig::set(const std::vector<double>& shares, const std::vector<SlimSizes>& sizes) {
  budgets = join<double>(shares, ',', [](const double& share) { return shortest(share); });
  head_dims = join<SlimSizes>(sizes, ';', [](const SlimSizes& s) {
    return join<std::vector<int64_t>>(s.heads, '/', [](const std::vector<int64_t>& head) { return joined(head); });
  });
  hidden = join<SlimSizes>(sizes, ';', [](const SlimSizes& s) { return joined(s.hidden); });
}

void SlimConfig::set_lives(const std::vector<int64_t>& lives) {
  const bool all = std::all_of(lives.begin(), lives.end(), [&](int64_t n) { return n == depth; });
  life = all ? "all" : joined(lives);
}

Config to_config(const SlimConfig& c) {
  ConfigWriter write{{{"model", "slim"}}};
  visit_fields(c, write);
  return write.out;
}

SlimConfig slim_from_config(const Config& config) {
  SlimConfig c;
  ConfigReader read(config, "slim");
  visit_fields(c, read);
  HV_CHECK_INPUT(c.classifiers == "shared", "model: classifiers: expected shared, found '", c.classifiers, "'");
  HV_CHECK_INPUT(c.stem == "patch", "model: stem: expected patch, found '", c.stem, "'");
  HV_CHECK_INPUT(c.tokens_by == "removed" || c.tokens_by == "masked", "model: tokens_by: expected removed or masked, found '",
                 c.tokens_by, "'");
  check_vit(c, 1, 0);  // before its numbers are multiplied
  check_vit(c, 1, params_of(c, c.sizes().back()));
  lives_if_any(c);
  read.finish();
  return c;
}

std::vector<Cost> costs_of(const SlimConfig& c) {
  const std::vector<double> shares = c.shares();
  const std::vector<SlimSizes> sizes = c.sizes();
  const Axis dim{"dim", static_cast<double>(c.width), false};
  std::vector<Cost> all;
  for (size_t b = 0; b < sizes.size(); ++b) {
    Cost cost;
    const std::string share = shortest(shares[b]);
    cost.subnet = {"budget" + share, "budget=" + share, static_cast<int64_t>(b), {{"budget", shares[b], true, 4}, dim}};
    if (sizes.size() == 1) cost.subnet = {"full", "full", 0, {dim}};
    cost.params = params_of(c, sizes[b]);
    cost.macs = macs_of(c, sizes[b]);
    cost.macs_with_norms = cost.macs + norm_macs_of(c);
    // Of the uncut model: an upper bound.
    const auto heads = static_cast<int64_t>(sizes[b].heads[0].size());
    cost.need = vit_need(c, {.width = std::max(c.width, heads * c.head_dim), .heads = heads});
    all.push_back(cost);
  }
  return all;
}

std::vector<LayerSizes> block_sizes(const SlimConfig& c) {
  const std::vector<double> shares = c.shares();
  const std::vector<SlimSizes> sizes = c.sizes();
  const std::vector<int64_t> lives = c.lives();
  std::vector<LayerSizes> all;
  for (size_t b = 0; b < sizes.size(); ++b) {
    LayerSizes::Part heads{"dimensions of heads", std::ssize(sizes[b].heads[0]) * c.head_dim};
    LayerSizes::Part hidden{"hidden units", c.mlp_ratio * c.width, sizes[b].hidden};
    LayerSizes::Part tokens{"tokens", std::ssize(lives)};
    for (int64_t i = 0; i < c.depth; ++i) {
      const std::vector<int64_t>& block = sizes[b].heads[static_cast<size_t>(i)];
      heads.sizes.push_back(total(block));
      std::string list = joined(block);
      std::replace(list.begin(), list.end(), ',', ' ');
      heads.pieces.push_back(list);
      tokens.sizes.push_back(std::count_if(lives.begin(), lives.end(), [&](int64_t life) { return life > i; }));
    }
    const bool several = sizes.size() > 1;
    all.push_back({several ? "budget" : "", several ? shortest(shares[b]) : "", {heads, hidden, tokens}});
  }
  return all;
}

Kind slim_kind() {
  Kind kind{"slim", {}, {}, {}};
  kind.sizes = [](const Config& config) { return block_sizes(slim_from_config(config)); };
  kind.layer_entries = {"head_dims", "hidden", "life"};
  kind.costs = [](const Config& config) { return costs_of(slim_from_config(config)); };
  kind.layers = [](const Config& config) { return layers_of(slim_from_config(config)); };
  kind.make = [](const Config& config, uint64_t seed) { return std::make_unique<Slim>(slim_from_config(config), seed); };
  return kind;
}

}  // namespace hv::models
