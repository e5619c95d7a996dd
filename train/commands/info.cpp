// hydravit info: what a checkpoint holds. Reads the header alone; --verify reads and checks every byte.
#include <cstdio>

#include "train/commands/commands.h"
#include "train/json.h"
#include "train/setup.h"

namespace hv::train {
namespace {

struct InfoArguments {
  std::vector<std::string> checkpoint;
  bool verify = false, tensors = false, json = false;
};

void print_group(const char* title, const std::map<std::string, std::string>& entries) {
  std::printf("%s\n", title);
  for (const auto& [key, value] : entries) {
    if (!value.empty()) std::printf("  %-14s %s\n", key.c_str(), value.c_str());
  }
}

int run_info(const InfoArguments& a) {
  const std::string path = checkpoint_path(a.checkpoint.at(0));
  const Header header = a.verify ? load_checkpoint(path, [](const std::string&) { return false; }).header : read_header(path);
  if (a.json) {
    std::printf("%s\n", header_json(header).c_str());
    return 0;
  }
  std::printf("%s: format %u, %s\n", path.c_str(), kCheckpointFormat,
              a.verify ? "every byte verified" : "header verified (--verify checks every byte)");
  print_group("model", header.model);
  std::printf("progress\n");
  for (const auto& [name, value] : header.counters) std::printf("  %-14s %lld\n", name.c_str(), static_cast<long long>(value));
  for (const auto& [name, value] : header.metrics) std::printf("  %-14s %.6g\n", name.c_str(), value);
  print_group("options", header.options);
  print_group("provenance", header.provenance);
  // The price of each width.
  const auto model = model_of(header, path);
  std::printf("widths\n%7s %5s %12s %14s\n", "heads", "dim", "params", "MACs");
  for (const models::Subnet& width : model->subnets()) {
    std::printf("%7lld %5lld %12lld %14lld\n", static_cast<long long>(width.key), static_cast<long long>(width.dim),
                static_cast<long long>(model->params(width)), static_cast<long long>(model->macs(width)));
  }
  int64_t elements = 0;
  for (const TensorEntry& entry : header.tensors) elements += numel(entry.shape);
  std::printf("tensors: %zu, %lld numbers%s\n", header.tensors.size(), static_cast<long long>(elements),
              a.tensors ? "" : " (--tensors lists them)");
  if (!a.tensors) return 0;
  for (const TensorEntry& entry : header.tensors) {
    std::printf("  %-44s %s\n", entry.name.c_str(), concat(entry.shape).c_str());
  }
  return 0;
}

}  // namespace

Command info_command() {
  const auto a = std::make_shared<InfoArguments>();
  Fields fields = {
      {"verify", &a->verify, "check every byte", 0, 0, {}, true},
      {"tensors", &a->tensors, "list the tensors", 0, 0, {}, true},
      {"json", &a->json, "the header, machine-readable", 0, 0, {}, true},
  };
  return {"info", "what a checkpoint holds", std::move(fields), {{"CKPT", "checkpoint or run folder", &a->checkpoint}},
          [a](const std::set<std::string>&) { return run_info(*a); }};
}

}  // namespace hv::train
