// hydravit data get|verify|stats: fetch, check and describe data sets.
#include <unistd.h>

#include <cstdio>

#include "data/download.h"
#include "data/inspect.h"
#include "train/commands/commands.h"
#include "train/describe/describe.h"
#include "train/io/print.h"
#include "train/start/setup.h"

namespace hv::train {
namespace {

struct DataArguments {
  std::vector<std::string> action, what;
  std::string dir = "datasets", kind = "auto", split = "train", url;
  int64_t image_size = 32, timeout = 5;
  bool json = false;
};

int fetch(const DataArguments& a) {
  HV_CHECK_USAGE(a.what.size() == 1, "data get: name one data set: cifar10 or cifar100");
  data::GetOptions options;
  options.url = a.url;
  options.connect_seconds = a.timeout;
  const bool terminal = isatty(STDERR_FILENO);
  int64_t shown = -1;
  options.progress = [&](int64_t done, int64_t total) {
    const int64_t percent = total > 0 ? 100 * done / total : 0;
    if (percent == shown || (!terminal && percent % 10 != 0)) return;
    shown = percent;
    std::fprintf(stderr, terminal ? "\r%3lld%% of %lld MB" : "%3lld%% of %lld MB\n", static_cast<long long>(percent),
                 static_cast<long long>(total / 1000000));
  };
  const data::GetResult result = data::get(a.what[0], a.dir, options);
  if (terminal && shown >= 0) std::fputc('\n', stderr);
  show(concat(result.already_there ? "already there: " : "installed: ", result.folder));
  return 0;
}

// A set as people read it, or as programs do.
void print_result(const Lines& lines, const std::string& json, bool as_json) {
  if (as_json) {
    std::printf("%s\n", json.c_str());
  } else {
    for (const std::string& line : lines) show(line);
  }
}

int check(const data::Source& source, bool as_json) {
  const data::VerifyResult result = data::verify(source);
  print_result(verify_lines(source.data, result), verify_json(source.data, result), as_json);
  HV_CHECK_INPUT(result.ok, source.data, ": not all files are good; see above, and ",
                 data::has_validation(source) ? "mend the table or the pictures" : "fetch the bad ones again");
  return 0;
}

int describe(const data::Source& source, const std::string& split, bool as_json) {
  const data::Split which = split == "train"  ? data::Split::train
                            : split == "test" ? data::Split::test
                                              : data::Split::validation;
  const data::DatasetPtr dataset = data::open(source, which);
  say_notes({dataset.get()});
  const data::Stats stats = data::stats(*dataset);
  std::vector<data::SplitCounts> splits;
  if (stats.counts.several) splits = data::count_splits(source);
  print_result(stats_lines(stats, split, splits), stats_json(stats, split, splits), as_json);
  return 0;
}

int run_data(const DataArguments& a) {
  start_compute(0);
  const std::string& action = a.action.at(0);
  const std::vector<std::string> actions = {"get", "verify", "stats"};
  if (action == "get") return fetch(a);
  HV_CHECK_USAGE(action == "verify" || action == "stats", "data: unknown action '", action, "'", did_you_mean(action, actions),
                 "; choose get, verify or stats");
  HV_CHECK_USAGE(a.what.size() <= 1, "data ", action, ": name one folder");
  const data::Source source = choose_data(a.what.empty() ? "" : a.what[0], a.kind, a.image_size);
  return action == "verify" ? check(source, a.json) : describe(source, a.split, a.json);
}

}  // namespace

Command data_command() {
  const auto a = std::make_shared<DataArguments>();
  Fields fields = {
      {"dir", &a->dir, "get: where to install"},
      {"url", &a->url, "get: another source of the same archive"},
      {"timeout", &a->timeout, "get: seconds to wait for a connection", 1, 3600},
      {"kind", &a->kind, "what the folder holds", 0, 0, data::kind_names()},
      {"split", &a->split, "stats: which images", 0, 0, {"train", "test", "validation"}},
      {"json", &a->json, "verify, stats: machine-readable output", 0, 0, {}, true},
      {"image-size", &a->image_size, "size of the images of a folder", 8, 1024},
  };
  return {"data",
          "fetch (get cifar10|cifar100), check (verify) or describe (stats) a data set",
          std::move(fields),
          {{"ACTION", "get, verify or stats", &a->action},
           {"WHAT", "get: cifar10 or cifar100; else a folder", &a->what, true, false}},
          [a](const std::set<std::string>&) { return run_data(*a); }};
}

}  // namespace hv::train
