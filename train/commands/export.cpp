// hydravit export: a subnetwork for other programs. A format is a line of the table below and a writer of a TimmModel.
#include <cstdio>
#include <filesystem>

#include "train/commands/commands.h"
#include "train/exchange/onnx.h"
#include "train/exchange/timm_safetensors.h"
#include "train/io/print.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

struct Format {
  const char* name;  // of --format, and the file's extension
  void (*write)(const std::string& path, const TimmModel& model);
};
constexpr Format kFormats[] = {
    {"safetensors", write_timm_safetensors},
    {"onnx", write_onnx},
};

struct ExportArguments {
  std::vector<std::string> checkpoint;
  std::string heads = "all", format = kFormats[0].name, out;
  bool ema = false;
};

// runs/a -> a-heads3.safetensors; runs/a/best.ckpt -> a-best-heads3.safetensors; b.ckpt -> b-heads3.safetensors
std::string default_name(const std::string& run_or_file, const ExportArguments& a) {
  namespace fs = std::filesystem;
  fs::path path = fs::absolute(run_or_file).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // a slash at the end
  std::string name = path.extension() == ".ckpt" ? path.stem().string() : path.filename().string();
  if (name == "last" || name == "prev" || name == "best") name = concat(path.parent_path().filename().string(), '-', name);
  return concat(name, a.heads == "all" ? "" : "-heads" + a.heads, a.ema ? "-ema" : "", '.', a.format);
}

int run_export(const ExportArguments& a) {
  int64_t heads = 0;
  if (a.heads != "all") {
    const std::vector<int64_t> chosen = parse_heads("--heads", a.heads);
    HV_CHECK_USAGE(chosen.size() == 1, "--heads: '", a.heads, "' names ", chosen.size(),
                   " widths; give one, or all for the nested model");
    heads = chosen[0];
  }
  start_compute(1);
  const std::string out = a.out.empty() ? default_name(a.checkpoint.at(0), a) : a.out;
  check_output("--out", out);
  const TimmModel model = load_timm(a.checkpoint[0], heads, a.ema);
  for (const Format& format : kFormats) {
    if (a.format == format.name) format.write(out, model);
  }
  const models::HydraViTConfig& c = model.config;
  show(concat(out, ": ", widths_text(c), ", ", models::parameter_count(c, c.heads), " parameters, ",
              std::filesystem::file_size(out), " bytes"));
  return 0;
}

}  // namespace

Command export_command() {
  const auto a = std::make_shared<ExportArguments>();
  std::vector<std::string> formats;
  for (const Format& format : kFormats) formats.push_back(format.name);
  Fields fields = {
      {"heads", &a->heads, "one width, as a vision transformer of its own, or all: the whole nested model"},
      {"format", &a->format, "of the file", 0, 0, formats},
      {"out", &a->out, "the file; default: named after the checkpoint, in this folder"},
      {"ema", &a->ema, "use the averaged weights", 0, 0, {}, true},
  };
  return {"export",
          "a width, or all, as a file for other programs",
          std::move(fields),
          {{"CKPT", "checkpoint or run folder", &a->checkpoint}},
          [a](const std::set<std::string>&) { return run_export(*a); }};
}

}  // namespace hv::train
