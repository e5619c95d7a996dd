// An ONNX graph that is built node by node, and its file.
//
// Invariants
//   1. A node has the name of the module whose work it does, and its output has the name of the node: "blocks.0.attn.qkv".
//   2. Values are made before they are used. A constant that is there already is not made again, so whoever needs one asks.
//   3. The file appears whole or not at all (invariant 1 of train/files/file.h). Writing needs memory for one copy of the
//      weights.
// The ONNX schema (Debian's libonnx-dev) and protobuf are named in train/onnx/graph.cpp alone.
// Thread rule: one thread per graph.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/tensor.h"

namespace hv::train::onnx_graph {

using Names = std::vector<std::string>;
using Ints = std::vector<int64_t>;
struct Attribute {
  const char* name;
  std::variant<int64_t, float, Ints, std::string> value;
};

// Each function returns the name of the value that it made, as an input for the next node.
class Graph {
 public:
  explicit Graph(const std::string& name);
  ~Graph();
  Graph(const Graph&) = delete;

  std::string node(const std::string& name, const char* op, const Names& inputs, const std::vector<Attribute>& attributes = {});
  Names node(const std::string& name, const char* op, const Names& inputs, const std::vector<Attribute>& attributes,
             const Names& outputs);

  std::string weight(const std::string& name, const Tensor& contiguous);
  std::string number(const std::string& name, double value);        // float32, of rank 0
  std::string index(const std::string& name, int64_t value);        // of rank 0
  std::string shape(const std::string& name, const Ints& numbers);  // of rank 1

  // float32 [batch, sizes...]
  void input(const std::string& name, const Ints& sizes);
  void output(const std::string& name, const Ints& sizes);

  void save(const std::string& path, const std::map<std::string, std::string>& metadata);

 private:
  struct File;
  std::unique_ptr<File> file_;
};

}  // namespace hv::train::onnx_graph
