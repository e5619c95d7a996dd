// hydravit report: one page about a run.
#include "train/report/report.h"

#include <cstdio>

#include "train/commands/commands.h"
#include "train/io/memory.h"
#include "train/io/numbers.h"
#include "train/io/print.h"
#include "train/start/output.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

struct ReportArguments {
  std::vector<std::string> run;
  std::string compare, out, images;
  SubnetChoice subnets;
  int64_t threads = 0;
  bool force = false;
};

std::vector<int64_t> parse_images(const std::string& text) {
  std::vector<int64_t> images;
  if (text.empty()) return images;
  for (const std::string& part : split(text, ',')) {
    int64_t number = -1;
    HV_CHECK_USAGE(parse_number(part, number) && number >= 0, "--images: '", text, "' is no list of images; write 3,14,15");
    images.push_back(number);
  }
  HV_CHECK_USAGE(images.size() <= 24, "--images: ", images.size(), " images, expected at most 24");
  return images;
}

int run_report(const ReportArguments& a) {
  ReportOptions options{a.run.at(0), {}, a.out, parse_images(a.images), a.subnets};
  // The command line gives --compare its first folder and leaves the others among the runs.
  if (!a.compare.empty()) options.compare.push_back(a.compare);
  options.compare.insert(options.compare.end(), a.run.begin() + 1, a.run.end());
  if (!a.out.empty()) check_output({"--out", a.out, FileKind::html, a.force});
  start_compute(a.threads);
  show("report: " + write_report(options));
  return 0;
}

}  // namespace

Command report_command() {
  const auto a = std::make_shared<ReportArguments>();
  Fields fields = {
      {"compare", &a->compare, "further run folders, to draw into the same accuracy plots and curves"},
      {kSubnetsOption, &a->subnets.heads, "widths to show, as 5, 3-8, 3,5,8 or all (it was trained for); default: all"},
      {kNamesOption, &a->subnets.names, kNamesHelp},
      {"out", &a->out, "the page to write; default: report.html in the run folder"},
      {"images", &a->images, "test images to look into, as 3,14,15; default: a choice"},
      memory_field(),
      {"force", &a->force, "replace a file of another kind, or the input", 0, 0, {}, true},
      {"threads", &a->threads, "cores to use; 0: all", 0, 1024},
  };
  return {"report",
          "a page about a run: accuracy against cost, curves, errors, what it looks at",
          std::move(fields),
          {{"RUN", "run folder; further ones are compared with it", &a->run, true}},
          [a](const std::set<std::string>&) { return run_report(*a); }};
}

}  // namespace hv::train
