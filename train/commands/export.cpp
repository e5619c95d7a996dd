// hydravit export: subnetworks for other programs. A format is a line of the table below and a writer of a TimmModel.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "models/kinds.h"
#include "train/commands/commands.h"
#include "train/exchange/timm_safetensors.h"
#include "train/io/print.h"
#include "train/onnx/write.h"
#include "train/start/output.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

struct Format {
  const char* name;  // of --format, and the file's extension
  void (*write)(const std::string& path, const TimmModel& model);
  bool nested;  // can a file hold the whole nested model? --heads all is one file then
  bool timm;    // does timm read it?
};
constexpr Format kFormats[] = {
    {"safetensors", write_timm_safetensors, true, true},
    {"onnx", write_onnx, false, false},
};

struct ExportArguments {
  std::vector<std::string> checkpoint;
  SubnetChoice subnets;
  std::string format = kFormats[0].name, out;
  bool ema = false, force = false;
};

// runs/a -> a-heads3.safetensors; runs/a/best.ckpt -> a-best-heads3.safetensors; b.ckpt -> b.safetensors, the nested model
std::string default_name(const ExportArguments& a, const std::string& width) {
  namespace fs = std::filesystem;
  fs::path path = fs::absolute(a.checkpoint.at(0)).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // a slash at the end
  std::string name = path.extension() == ".ckpt" ? path.stem().string() : path.filename().string();
  if (name == "last" || name == "prev" || name == "best") name = concat(path.parent_path().filename().string(), '-', name);
  return concat(name, width, a.ema ? "-ema" : "", '.', a.format);
}

int run_export(const ExportArguments& a) {
  start_compute(1);
  const Format& format = *std::find_if(std::begin(kFormats), std::end(kFormats), [&](auto& f) { return a.format == f.name; });
  const TimmSource source(a.checkpoint.at(0), a.ema);
  std::vector<std::pair<std::string, std::optional<models::Subnet>>> files;  // and what it holds; nothing: the nested model
  if (a.subnets.all() && (format.nested || a.subnets.heads + a.subnets.names == "")) {
    files.emplace_back(a.out.empty() ? default_name(a, "") : a.out, std::nullopt);
  } else {
    std::vector<models::Subnet> subnets = choose_trained(source.subnets(), source.header(), a.subnets);
    if (format.timm) subnets = timm_subnets(source.header().model, subnets);
    for (const models::Subnet& subnet : subnets) {
      const std::filesystem::path out = a.out;
      std::string path = a.out.empty() ? default_name(a, "-" + subnet.name) : a.out;
      if (!a.out.empty() && subnets.size() > 1) {  // vit.onnx -> vit-heads3.onnx
        path = (out.parent_path() / out.stem()).string() + "-" + subnet.name + out.extension().string();
      }
      files.emplace_back(path, subnet);
    }
  }
  for (const auto& [path, subnet] : files) {
    check_output({"--out", path, a.format == "onnx" ? FileKind::onnx : FileKind::safetensors, a.force, {a.checkpoint[0]}});
  }
  for (const auto& [path, subnet] : files) {
    const TimmModel model = subnet ? source.part(*subnet) : source.whole();
    format.write(path, model);
    show(concat(path, ": ", widths_text(model.config), ", ", models::all_params(models::costs(model.config)), " parameters, ",
                std::filesystem::file_size(path), " bytes"));
    const std::string hint = timm_hint(model);
    if (!hint.empty() && format.timm) show("  in timm: " + hint);
  }
  return 0;
}

}  // namespace

Command export_command() {
  const auto a = std::make_shared<ExportArguments>();
  std::vector<std::string> formats;
  for (const Format& format : kFormats) formats.push_back(format.name);
  Fields fields = {
      {kSubnetsOption, &a->subnets.heads,
       "widths, as 5, 3-8, 3,5,8 or 0.5: a plain vision transformer and a file each; default and all: the nested model in one "
       "file (onnx needs a choice; all: each)"},
      {kNamesOption, &a->subnets.names, kNamesHelp},
      {"format", &a->format, "of the file", 0, 0, formats},
      {"out", &a->out,
       "the file, or what the files of several widths are named after; default: the checkpoint, in this folder"},
      {"force", &a->force, "replace a file of another kind, or the input", 0, 0, {}, true},
      {"ema", &a->ema, "use the averaged weights", 0, 0, {}, true},
  };
  return {"export",
          "widths, or all in one, as files for other programs",
          std::move(fields),
          {{"CKPT", "checkpoint or run folder", &a->checkpoint}},
          [a](const std::set<std::string>&) { return run_export(*a); }};
}

}  // namespace hv::train
