// A file that a command is asked to write, checked before its work: it must not take the place of something else.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

namespace hv::train {

enum class FileKind { checkpoint, safetensors, onnx, png, svg, html, curve, predictions };

struct Wanted {
  std::string option, path;
  FileKind kind;
  bool force = false;
  std::vector<std::string> inputs = {};  // what the file is made from: it must not be one of them
  std::string begin = {};                // with which files of that kind may begin, too; "" if there is nothing more to say
};
// An error (Fault::usage) if the file is a folder, a device or a pipe; and unless it is forced, if it is an input, the state of
// a run, or begins as no file of its kind does. An empty file may be replaced. An error (Fault::failure) if the place cannot be
// written to.
void check_output(const Wanted& wanted);

}  // namespace hv::train
