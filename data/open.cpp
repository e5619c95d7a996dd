#include "data/open.h"

#include <algorithm>
#include <filesystem>

#include "core/check.h"
#include "data/cifar.h"
#include "data/files.h"
#include "data/findings/findings.h"
#include "data/findings/findings8.h"
#include "data/folder.h"
#include "data/shapes10.h"

namespace hv::data {
namespace {

// The kind of data in a directory, by file names. Both CIFAR sets may use the names train*.bin; then the size decides.
std::string detect(const std::string& directory) {
  const auto files = [&](CifarKind kind) {
    std::vector<std::string> found = cifar_files(directory, kind, Split::train);
    return found.empty() ? cifar_files(directory, kind, Split::test) : found;
  };
  const std::vector<std::string> ten = files(CifarKind::cifar10), hundred = files(CifarKind::cifar100_fine);
  if (ten.empty() && hundred.empty() && has_findings(directory)) return "findings";
  if (ten.empty() && hundred.empty()) return is_image_folder(directory) ? "folder" : "";
  if (ten.empty() || hundred.empty()) return ten.empty() ? "cifar100" : "cifar10";
  if (ten != hundred) return "cifar10";
  std::error_code ignored;
  if (std::filesystem::exists(join(directory, "fine_label_names.txt"), ignored)) return "cifar100";
  if (std::filesystem::exists(join(directory, "batches.meta.txt"), ignored)) return "cifar10";
  const int64_t bytes = file_bytes(ten[0]);
  const bool whole10 = bytes % cifar_record_bytes(CifarKind::cifar10) == 0;
  const bool whole100 = bytes % cifar_record_bytes(CifarKind::cifar100_fine) == 0;
  HV_CHECK_INPUT(!(whole10 && whole100), ten[0], ": could be CIFAR-10 or CIFAR-100 by its size: ", bytes,
                 " bytes: say which (cifar10, cifar100 or cifar100-coarse)");
  return whole100 ? "cifar100" : "cifar10";
}

int64_t limit(const Source& source) { return source.labels_only ? 0 : kDecodedLimit; }

}  // namespace

bool looks_like_data(const std::string& directory) {
  for (const CifarKind kind : {CifarKind::cifar10, CifarKind::cifar100_fine})
    if (!cifar_files(directory, kind, Split::train).empty()) return true;
  return has_findings(directory) || has_class_folders(directory);
}

bool is_built_in(const std::string& name) {
  const auto& table = data_kinds();
  return std::any_of(table.begin(), table.end(), [&](const DataKind& kind) { return kind.built_in && kind.name == name; });
}

std::string resolve_kind(const Source& source) {
  if (is_built_in(source.data)) return source.data;
  if (is_built_in(source.kind)) return source.kind;
  std::error_code ignored;
  HV_CHECK_INPUT(std::filesystem::is_directory(source.data, ignored), source.data,
                 ": no such directory: name one that holds data, or a built-in set: shapes10 or findings8");
  if (source.kind != "auto") return source.kind;
  const std::string kind = detect(source.data);
  HV_CHECK_INPUT(
      !kind.empty(), source.data,
      ": no data found: expected CIFAR binary files (data_batch_*.bin, train*.bin), pictures with a labels.csv, or "
      "folders of images (train/<class>/*.png or <class>/*.png); fetch a set with `data get cifar10` or use shapes10");
  return kind;
}

std::vector<DataKind>& data_kinds() {
  static std::vector<DataKind> table = {
      {"cifar10", [](const Source& s, Split split) { return open_cifar(s.data, CifarKind::cifar10, split); }},
      {"cifar100", [](const Source& s, Split split) { return open_cifar(s.data, CifarKind::cifar100_fine, split); }},
      {"cifar100-coarse", [](const Source& s, Split split) { return open_cifar(s.data, CifarKind::cifar100_coarse, split); }},
      {"findings",
       [](const Source& s, Split split) { return open_findings(s.data, split, s.image_size, s.progress, limit(s)); }, false,
       true},
      {"findings8", [](const Source&, Split split) { return make_findings8(split); }, true, true},
      {"folder", [](const Source& s, Split split) { return open_folder(s.data, split, s.image_size, s.progress, limit(s)); }},
      {"shapes10", [](const Source&, Split split) { return make_shapes10(split); }, true},
  };
  return table;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names = {"auto"};
  for (const DataKind& kind : data_kinds()) names.push_back(kind.name);
  return names;
}

namespace {

const DataKind& kind_of(const Source& source) {
  const std::string wanted = resolve_kind(source);
  for (const DataKind& kind : data_kinds()) {
    if (kind.name == wanted) return kind;
  }
  std::string known;
  for (const std::string& name : kind_names()) known += (known.empty() ? "" : ", ") + name;
  fail(Fault::usage, "data: unknown kind of data set: ", wanted, ": choose one of ", known);
}

}  // namespace

bool has_validation(const Source& source) { return kind_of(source).validation; }

DatasetPtr open(const Source& source, Split split) {
  const DataKind& kind = kind_of(source);
  HV_CHECK_USAGE(split != Split::validation || kind.validation, "data: ", kind.name,
                 " has no images for validation, only train and test: choose one of these");
  return kind.open(source, split);
}

}  // namespace hv::data
