#include "train/commands/setup.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "core/kernels/bf16.h"
#include "core/kernels/blas.h"
#include "core/kernels/precision.h"
#include "core/kernels/simd.h"
#include "core/parallel.h"
#include "train/io/file.h"
#include "train/sampler.h"

namespace hv::train {
namespace {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

std::string compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

}  // namespace

void start_compute(int64_t threads, const std::string& precision) {
  init_compute(threads > 0 ? static_cast<int>(threads) : num_threads());
  const bool bf16 = precision == "bf16";
  if (bf16 && bf16_unit() == Bf16Unit::none) say("NOTICE: this processor has no bf16 units; products are made in fp32");
  set_precision(bf16 && bf16_unit() != Bf16Unit::none ? Precision::bf16 : Precision::fp32);
}

void check_output(const std::string& option, const std::string& path) {
  HV_CHECK_USAGE(!file_exists(path) || std::filesystem::is_regular_file(path), option, ": ", path,
                 " is a folder or a device; name a file");
  HV_CHECK_USAGE(!is_checkpoint(path), option, ": ", path, " holds a checkpoint; name another file");
  AtomicFile probe(path);  // created and removed
}

void say(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

data::Source choose_data(const std::string& folder, const std::string& kind, int64_t image_size) {
  data::Source source{folder, kind, image_size};
  if (kind == "shapes10" && folder.empty()) source.data = "shapes10";
  if (!source.data.empty()) return source;
  const char* environment = std::getenv("HYDRAVIT_DATA");
  if (environment && *environment) {
    source.data = environment;
  } else if (data::looks_like_data("datasets")) {
    source.data = "datasets";
  } else {
    source.data = "shapes10";
    say("NOTICE: no data given (--data DIR or HYDRAVIT_DATA) and none in datasets/: using the built-in shapes10, drawn shapes. "
        "For real images: hydravit data get cifar10");
  }
  return source;
}

std::string start_line(int64_t seed, const data::Source& source, const data::Dataset* train, const data::Dataset* test) {
  const data::Dataset* any = train ? train : test;
  std::string text = concat(blas_name(), " (", blas_kernel(), "), SIMD ", simd::kernels().level, ", ",
                            precision() == Precision::bf16 ? concat("bf16 on ", bf16_unit_name(), ", ") : "", num_threads(),
                            num_threads() == 1 ? " thread" : " threads", ", seed ", seed, ", data ", any->name());
  if (source.data != any->name()) text += " from " + source.data;
  text += ":";
  if (train) text += concat(" ", train->size(), " training", test ? "," : " images");
  if (test) text += concat(" ", test->size(), " test images");
  return text;
}

std::map<std::string, std::string> provenance(const data::Source& source, const data::Dataset& train,
                                              const data::Dataset* test) {
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  std::map<std::string, std::string> entries = {
      {"date", date},
      {"compiler", compiler()},
      {"cpu", cpu_name()},
      {"threads", std::to_string(num_threads())},
      {"blas", blas_name()},
      {"blas_kernel", blas_kernel()},
      {"simd", simd::kernels().level},
      {"data", train.name()},
      {"data_source", source.data},
      {"data_images", std::to_string(train.size())},
      {"data_checksum", train.checksum()},
  };
  if (test) entries["test_checksum"] = test->checksum();
  return entries;
}

std::vector<models::Subnet> choose_widths(const models::ElasticModel& model, const std::string& heads) {
  if (heads.empty()) return model.subnets();
  std::vector<models::Subnet> widths;
  for (const int64_t k : parse_heads("--heads", heads)) {
    bool found = false;
    for (const models::Subnet& subnet : model.subnets()) {
      if (subnet.key == k) widths.push_back(subnet), found = true;
    }
    HV_CHECK_USAGE(found, "--heads: ", k, " is outside the model; it runs with ", model.subnets().front().key, " to ",
                   model.subnets().back().key, " heads");
  }
  return widths;
}

std::unique_ptr<models::ElasticModel> model_of(const Header& header, const std::string& path) {
  int64_t held = 0, described = 0;
  for (const TensorEntry& entry : header.tensors) held += entry.name.rfind("model.", 0) == 0 ? numel(entry.shape) : 0;
  std::unique_ptr<models::ElasticModel> model;
  try {
    described = models::costs(header.model).back().params;
    // Before anything is built: a few bytes of configuration must not ask for gigabytes of weights.
    if (described == held) model = models::make_model(header.model, header.seed);
  } catch (const Error& error) {
    fail(Fault::input, path, ": describes no model this program can build: ", error.what());
  }
  HV_CHECK_INPUT(model, path, ": describes ", described, " parameters and holds ", held,
                 ": is it a checkpoint of another model?");
  HV_CHECK_INPUT(static_cast<int64_t>(header.class_names.size()) == model->classes(), path, ": names ",
                 header.class_names.size(), " classes, its model has ", model->classes());
  return model;
}

Loaded load_model(const std::string& run_or_file, bool ema) {
  const std::string prefix = ema ? "ema." : "model.";
  Checkpoint checkpoint = load_run(run_or_file, say, [&](const std::string& name) { return name.rfind(prefix, 0) == 0; });
  HV_CHECK_USAGE(!ema || !checkpoint.tensors.empty(), checkpoint.path, ": has no averaged weights; leave out --ema");
  Loaded loaded{checkpoint.header, model_of(checkpoint.header, checkpoint.path), checkpoint.path};
  for (int c = 0; c < 3; ++c) {
    HV_CHECK_INPUT(loaded.header.std[static_cast<size_t>(c)] > 0, loaded.path, ": damaged header: normalisation by ",
                   loaded.header.std[static_cast<size_t>(c)]);
  }
  restore_parameters(checkpoint, prefix, *loaded.model);
  loaded.model->eval();
  return loaded;
}

std::string trained_heads(const Header& header) {
  const auto found = header.options.find("heads");
  return found == header.options.end() ? "" : found->second;
}

}  // namespace hv::train
