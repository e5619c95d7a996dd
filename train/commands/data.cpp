// hydravit data get|verify|stats: fetch, check and describe data sets.
#include <unistd.h>

#include <cstdio>

#include "data/download.h"
#include "data/inspect.h"
#include "train/commands/commands.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/start/setup.h"

namespace hv::train {
namespace {

struct DataArguments {
  std::vector<std::string> action, what;
  std::string dir = "datasets", kind = "auto", split = "train", url;
  int64_t image_size = 32, timeout = 5;
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

int check(const data::Source& source) {
  const data::VerifyResult result = data::verify(source);
  for (const data::FileCheck& file : result.files) {
    const char* verdict = file.official ? "official" : "good";
    show(concat(print("%-8s ", file.problem.empty() ? verdict : "BAD"), file.path,
                file.records > 0 ? concat("  ", file.records, " records") : "",
                file.sha256.empty() ? "" : "  sha256 " + file.sha256, file.problem.empty() ? "" : "  " + file.problem));
  }
  for (const std::string& note : result.notes) show("NOTICE   " + note);
  show(concat(source.data, ": ", result.name, ", ", result.images, " readable images",
              result.official ? ", all files are the official ones" : ""));
  for (const std::string& path : result.first_warned) show("warned   " + path);
  if (result.warned > 0)
    show(concat(result.warned, " of them were read with warnings (the first few are above); no pixels are missing"));
  HV_CHECK_INPUT(result.ok, source.data, ": not all files are good; see above, and fetch the bad ones again");
  return 0;
}

int describe(const data::Source& source, const std::string& split) {
  const data::DatasetPtr dataset = data::open(source, split == "train" ? data::Split::train : data::Split::test);
  say_notes({dataset.get()});
  const data::Stats s = data::stats(*dataset);
  std::printf("%s, %s: %lld images of 3 x %lld x %lld, %zu classes, checksum %s\n", s.name.c_str(), split.c_str(),
              static_cast<long long>(s.images), static_cast<long long>(s.height), static_cast<long long>(s.width),
              s.class_names.size(), s.checksum.c_str());
  std::printf("mean          %.4f %.4f %.4f\n", s.mean[0], s.mean[1], s.mean[2]);
  std::printf("std           %.4f %.4f %.4f  over all pixels: what normalisation uses\n", s.std[0], s.std[1], s.std[2]);
  std::printf("std per image %.4f %.4f %.4f  mean over images: smaller, often copied by mistake\n", s.image_std[0],
              s.image_std[1], s.image_std[2]);
  for (size_t i = 0; i < s.class_names.size(); ++i) {
    std::printf("%5zu %-20s %lld\n", i, printable(s.class_names[i]).c_str(), static_cast<long long>(s.class_counts[i]));
  }
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
  return action == "verify" ? check(source) : describe(source, a.split);
}

}  // namespace

Command data_command() {
  const auto a = std::make_shared<DataArguments>();
  Fields fields = {
      {"dir", &a->dir, "get: where to install"},
      {"url", &a->url, "get: another source of the same archive"},
      {"timeout", &a->timeout, "get: seconds to wait for a connection", 1, 3600},
      {"kind", &a->kind, "what the folder holds", 0, 0, data::kind_names()},
      {"split", &a->split, "stats: which images", 0, 0, {"train", "test"}},
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
