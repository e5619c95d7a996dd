// A vision transformer in plain loops and double, and its relevance: the twin that tests/test_relevance.cpp compares with. It
// shares no code with the model. Only tests include it.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "models/elastic.h"

namespace hv::test {

// A vision transformer of one width in plain loops and double, from the weights of an extracted model.
struct Twin {
  using Rows = std::vector<std::vector<double>>;
  std::map<std::string, std::vector<double>> w;
  int64_t width, heads, side, patch, first;
  bool stacked, mean_of_patches;
  double multiplier, keep;
  size_t label;
  std::vector<std::vector<double>> changes = {};  // by block, added to its maps [heads, T, T]
  std::vector<std::vector<double>> maps = {};     // of the last pass
  std::vector<size_t> picked = {};                // by block 0; empty before the first pass
  double eps = 1e-6;

  std::vector<double> norm(const std::vector<double>& x, const std::string& name) const {
    double sum = 0, squares = 0;
    for (const double v : x) sum += v;
    const double middle = sum / static_cast<double>(x.size());
    for (const double v : x) squares += (v - middle) * (v - middle);
    const std::vector<double>&gain = w.at(name + ".weight"), &shift = w.at(name + ".bias");
    std::vector<double> y;
    for (size_t i = 0; i < x.size(); ++i) {
      const double unit = (x[i] - middle) / std::sqrt(squares / static_cast<double>(x.size()) + eps);
      y.push_back(unit * gain[i] + shift[i]);
    }
    return y;
  }
  std::vector<double> linear(const std::vector<double>& x, const std::string& name) const {
    std::vector<double> y = w.at(name + ".bias");
    const std::vector<double>& weight = w.at(name + ".weight");
    for (size_t o = 0; o < y.size(); ++o) {
      for (size_t i = 0; i < x.size(); ++i) y[o] += weight[o * x.size() + i] * x[i];
    }
    return y;
  }
  Rows embed(const std::vector<double>& image) const {
    Rows x = {w.at("cls_token")};
    if (first == 2) x.push_back(w.at("dist_token"));
    for (int64_t row = 0; row < side; ++row) {
      for (int64_t column = 0; column < side; ++column) {
        std::vector<double> pixels;
        for (int64_t c = 0; c < 3; ++c) {
          for (int64_t i = 0; i < patch * patch; ++i) {
            const int64_t y = row * patch + i / patch, at = column * patch + i % patch;
            pixels.push_back(image[static_cast<size_t>((c * side * patch + y) * side * patch + at)]);
          }
        }
        x.push_back(linear(pixels, "patch_embed.proj"));
      }
    }
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += w.at("pos_embed")[t * x[t].size() + i];
    }
    return x;
  }
  // Softmax of scores, with changes; [heads, T, T].
  std::vector<double> map_of(const Rows& qkv, size_t block) const {
    const auto tokens = static_cast<int64_t>(qkv.size()), d = width / heads;
    std::vector<double> map;
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t t = 0; t < tokens; ++t) {
        std::vector<double> row;
        double total = 0;
        for (int64_t s = 0; s < tokens; ++s) {
          double score = 0;
          for (int64_t i = 0; i < d; ++i) score += at(qkv, t, h, 0, i) * at(qkv, s, h, 1, i);
          total += row.emplace_back(std::exp(score * multiplier));
        }
        for (const double e : row) map.push_back(e / total);
      }
    }
    for (size_t i = 0; i < map.size() && !changes.empty(); ++i) map[i] += changes[block][i];
    return map;
  }
  double at(const Rows& qkv, int64_t token, int64_t head, int64_t which, int64_t i) const {
    const int64_t d = width / heads, column = (stacked ? head * 3 + which : which * heads + head) * d + i;
    return qkv[static_cast<size_t>(token)][static_cast<size_t>(column)];
  }
  double logit(const std::vector<double>& image) {
    Rows x = embed(image);
    maps.clear();
    for (size_t block = 0; block < 2; ++block) {
      const std::string name = concat("blocks.", block, ".");
      Rows qkv;
      for (const auto& token : x) qkv.push_back(linear(norm(token, name + "norm1"), name + "attn.qkv"));
      const std::vector<double>& map = maps.emplace_back(map_of(qkv, block));
      const auto tokens = static_cast<int64_t>(x.size()), d = width / heads;
      Rows y = x;
      for (int64_t t = 0; t < tokens; ++t) {
        std::vector<double> mixed;
        for (int64_t h = 0; h < heads; ++h) {
          for (int64_t i = 0; i < d; ++i) {
            double sum = 0;
            for (int64_t s = 0; s < tokens; ++s)
              sum += map[static_cast<size_t>((h * tokens + t) * tokens + s)] * at(qkv, s, h, 2, i);
            mixed.push_back(sum);
          }
        }
        const std::vector<double> projected = linear(mixed, name + "attn.proj");
        for (size_t i = 0; i < projected.size(); ++i) y[static_cast<size_t>(t)][i] += projected[i];
      }
      if (block == 0 && keep < 1) {
        if (picked.empty()) pick(map, tokens);
        Rows left;
        for (const size_t t : picked) left.push_back(y[t]);
        y = left;
      }
      for (auto& token : y) {
        std::vector<double> units = linear(norm(token, name + "norm2"), name + "mlp.fc1");
        for (double& u : units) u = 0.5 * u * (1 + std::erf(u / std::sqrt(2.0)));
        const std::vector<double> out = linear(units, name + "mlp.fc2");
        for (size_t i = 0; i < out.size(); ++i) token[i] += out[i];
      }
      x = y;
    }
    for (auto& token : x) token = norm(token, "norm");
    if (mean_of_patches) {
      std::vector<double> middle(x[0].size());
      for (size_t t = 1; t < x.size(); ++t) {
        for (size_t i = 0; i < middle.size(); ++i) middle[i] += x[t][i] / static_cast<double>(x.size() - 1);
      }
      return linear(middle, "head")[label];
    }
    const double cls = linear(x[0], "head")[label];
    return first == 1 ? cls : (cls + linear(x[1], "head_dist")[label]) / 2;
  }
  void pick(const std::vector<double>& map, int64_t tokens) {
    std::vector<double> row(static_cast<size_t>(tokens));
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t s = 0; s < tokens; ++s) row[static_cast<size_t>(s)] += map[static_cast<size_t>(h * tokens * tokens + s)];
    }
    for (int64_t t = 0; t < first; ++t) picked.push_back(static_cast<size_t>(t));
    const auto others = static_cast<int64_t>(std::ceil(keep * static_cast<double>(tokens)));
    for (int64_t k = 0; k < others; ++k) {
      const auto best = std::max_element(row.begin() + first, row.end());
      picked.push_back(static_cast<size_t>(best - row.begin()));
      *best = -1;
    }
  }
  // R <- R + A' R, with the gradients of maps as central differences.
  std::vector<double> relevance(const std::vector<double>& image) {
    logit(image);
    const std::vector<std::vector<double>> plain = maps;
    for (const auto& map : plain) changes.emplace_back(map.size());
    const auto all = static_cast<size_t>(first + side * side);
    Rows r(all, std::vector<double>(all));
    for (size_t t = 0; t < all; ++t) r[t][t] = 1;
    Rows self = r;
    for (size_t block = 0; block < 2; ++block) {
      const size_t tokens = r.size(), h = static_cast<size_t>(heads);
      Rows next = r;
      for (size_t i = 0; i < plain[block].size(); ++i) {
        const double step = 1e-5;
        changes[block][i] = step;
        const double up = logit(image);
        changes[block][i] = -step;
        const double gradient = (up - logit(image)) / (2 * step);
        changes[block][i] = 0;
        const double share = std::max(0.0, gradient * plain[block][i]) / static_cast<double>(h);
        const size_t t = i / tokens % tokens, s = i % tokens;
        for (size_t k = 0; k < all; ++k) next[t][k] += share * r[s][k];
      }
      r = next;
      if (block > 0 || keep == 1) continue;
      Rows left, own;
      for (const size_t t : picked) {
        left.push_back(r[t]);
        own.push_back(self[t]);
      }
      r = left;
      self = own;
    }
    std::vector<double> heat(static_cast<size_t>(side * side));
    const size_t from = mean_of_patches ? 1 : 0, to = mean_of_patches ? r.size() : static_cast<size_t>(first);
    double total = 0;
    for (size_t t = from; t < to; ++t) {
      for (size_t k = 0; k < heat.size(); ++k) {
        const double one = r[t][k + static_cast<size_t>(first)] - self[t][k + static_cast<size_t>(first)];
        heat[k] += one;
        total += one;
      }
    }
    for (double& one : heat) one /= total;
    return heat;
  }
};

}  // namespace hv::test
