#include "train/start/output.h"

#include <algorithm>
#include <filesystem>

#include "train/exchange/safetensors.h"
#include "train/files/file.h"

namespace hv::train {
namespace {

constexpr const char* kNames[] = {"checkpoint",  "safetensors file", "ONNX file",        "PNG",
                                  "SVG drawing", "page of HTML",     "curve of lr-find", "result of predict"};

bool holds_weights_alone(const std::string& checkpoint) {
  try {
    return read_header(checkpoint).counters.count("step") == 0;
  } catch (const Error&) {  // damaged: some of it may be saved by other means
    return false;
  }
}

// Does the file begin as one of that kind does?
bool is_of_kind(const Wanted& wanted) {
  InputFile file(wanted.path);
  std::string first(static_cast<size_t>(std::min<int64_t>(file.size(), 256)), '\0');
  file.read(first.data(), first.size());
  const auto begins = [&](const std::string& text) { return !text.empty() && first.starts_with(text); };
  if (first.empty() || begins(wanted.begin)) return true;
  switch (wanted.kind) {
    case FileKind::checkpoint:
      return holds_weights_alone(wanted.path);
    case FileKind::safetensors:
      return looks_like_safetensors(wanted.path);
    case FileKind::onnx:
      return begins("\x08") && wanted.path.ends_with(".onnx");  // its first field, the version
    case FileKind::png:
      return begins("\x89PNG");
    case FileKind::svg:
      return begins("<svg");
    case FileKind::html:
      return begins("<!doctype html");
    case FileKind::curve:
      return begins("step,lr,loss,");
    case FileKind::predictions:
      return begins("image,") || begins("image ") || begins("{\"results\":[") || begins("{\"image\":");
  }
  return false;
}

}  // namespace

void check_output(const Wanted& wanted) {
  const auto& [option, path, kind, force, inputs, begin] = wanted;
  const What what = what_is(path);
  HV_CHECK_USAGE(what == What::file || what == What::nothing, option, ": ", path, " is a folder or a device; name a file");
  if (what == What::file && !force) {
    const bool same = is_of_kind(wanted);
    HV_CHECK_USAGE(same || !is_checkpoint(path), option, ": ", path,
                   " holds a checkpoint; name another file, or replace it with --force");
    for (const std::string& input : inputs) {
      std::error_code ignored;
      HV_CHECK_USAGE(!std::filesystem::equivalent(path, input, ignored), option, ": ", path,
                     " is what the file is made from; name another file, or replace it with --force");
    }
    HV_CHECK_USAGE(same, option, ": ", path, " is there already and is no ", kNames[static_cast<size_t>(kind)],
                   "; name another file, or replace it with --force");
  }
  AtomicFile probe(path);  // created and removed at once: an error if the place cannot be written to
}

}  // namespace hv::train
