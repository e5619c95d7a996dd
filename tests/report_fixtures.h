// What the tests of the report share: a small run, and a checker of its page.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "data/image.h"
#include "data/open.h"
#include "models/hydravit.h"
#include "tests/data_fixtures.h"
#include "train/log/run_log.h"
#include "train/report/report.h"
#include "train/start/provenance.h"
#include "train/start/setup.h"
#include "train/trainer.h"

namespace hv::report_fixtures {

using namespace hv::train;
namespace fs = std::filesystem;

inline const std::string kHostile = "<script>alert(1)&\"'<";

inline std::string read_text(const std::string& path) {
  const std::vector<uint8_t> bytes = fixtures::read_bytes(path);
  return {bytes.begin(), bytes.end()};
}

// What is wrong with the nesting of tags and the quotes of attributes, or "".
inline std::string unbalanced(const std::string& text) {
  std::vector<std::string> open;
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at)) {
    size_t end = at + 1;
    for (char quote = 0; end < text.size() && (quote || text[end] != '>'); ++end) {
      if (quote ? text[end] == quote : text[end] == '"' || text[end] == '\'') quote = quote ? 0 : text[end];
      if (!quote && text[end] == '<') return "< within a tag: " + text.substr(at, 60);
    }
    if (end >= text.size()) return "a tag without an end: " + text.substr(at, 60);
    const std::string tag = text.substr(at + 1, end - at - 1),
                      name = tag.substr(tag[0] == '/', tag.find_first_of(" />", 1) - (tag[0] == '/'));
    at = end;
    if (tag[0] == '!' || tag.back() == '/' || name == "meta" || name == "img") continue;
    if (tag[0] != '/') {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back() + " stays open";
}

inline size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// A folder data set of two classes, one of a hostile name, and a run of three widths on it.
struct TinyRun {
  fixtures::TempDir dir;
  std::string folder = dir / "run";

  // `change` adds to the model's configuration.
  explicit TinyRun(const std::function<void(models::HydraViTConfig&, TrainOptions&)>& change = {}) {
    set_num_threads(1);
    for (const std::string& name : {kHostile, std::string("plain")}) {
      for (const char* split : {"train", "test"}) {
        const std::string at = dir / "data/" + split + "/" + name;
        fs::create_directories(at);
        for (int i = 0; i < 12; ++i) {
          const auto value = static_cast<uint8_t>(name == "plain" ? 20 * i : 255 - 3 * i);
          data::write_png(at + "/" + std::to_string(i) + ".png", {32, 32, std::vector<uint8_t>(3 * 32 * 32, value)});
        }
      }
    }
    const data::Source source{dir / "data", "folder", 32};
    const data::DatasetPtr training = data::open(source, data::Split::train), testing = data::open(source, data::Split::test);
    models::HydraViTConfig config;
    config.patch = 8;
    config.depth = 1;
    config.head_dim = 8;
    config.heads_min = 1;
    config.heads = 3;
    config.classes = 2;
    TrainOptions o;
    o.steps = 12;
    o.batch_size = 8;
    o.log_interval = 2;
    o.eval_every = 2;
    o.augment = "full";
    o.data = source.data;
    o.kind = "folder";
    if (change) change(config, o);
    fs::create_directories(folder);
    const auto model = models::make_model(models::to_config(config), 1);
    Trainer trainer(
        {*model, model->subnets(), *training, testing.get(), o, folder, provenance(source, *training, testing.get())},
        make_recipe(o, *model, model->subnets()));
    RunLog log(folder, o, testing.get(), false);
    trainer.run(log);
  }
  std::string report(const ReportOptions& more = {}) const {
    ReportOptions options = more;
    options.folder = folder;
    return read_text(write_report(options));
  }
};

}  // namespace hv::report_fixtures
