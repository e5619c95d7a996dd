#include "train/onnx/graph.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <exception>
#include <set>

// Debian builds the schema with ONNX_ML and this namespace. The installed header contains neither, so both are defined here.
#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include "train/files/file.h"

namespace hv::train::onnx_graph {
namespace {

constexpr int64_t kIrVersion = 8, kOpset = 17;  // 17 is the first with LayerNormalization

void set(onnx::AttributeProto& to, const Attribute& from) {
  to.set_name(from.name);
  if (const auto* i = std::get_if<int64_t>(&from.value)) {
    to.set_type(onnx::AttributeProto::INT);
    to.set_i(*i);
  } else if (const auto* f = std::get_if<float>(&from.value)) {
    to.set_type(onnx::AttributeProto::FLOAT);
    to.set_f(*f);
  } else if (const auto* s = std::get_if<std::string>(&from.value)) {
    to.set_type(onnx::AttributeProto::STRING);
    to.set_s(*s);
  } else {
    to.set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : std::get<Ints>(from.value)) to.add_ints(value);
  }
}

// "batch", then fixed sizes.
void describe(onnx::ValueInfoProto& value, const std::string& name, const Ints& sizes) {
  value.set_name(name);
  onnx::TypeProto::Tensor& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  for (const int64_t size : sizes) type.mutable_shape()->add_dim()->set_dim_value(size);
}

// Protobuf writes here. An exception must not pass through its buffers, because their destructors write again, so it is kept in
// `error`.
struct Output : google::protobuf::io::CopyingOutputStream {
  explicit Output(const std::string& path) : file(path) {}
  bool Write(const void* data, int bytes) override {
    try {
      if (!error) file.write(data, static_cast<size_t>(bytes));
    } catch (...) {
      error = std::current_exception();
    }
    return !error;
  }
  AtomicFile file;
  std::exception_ptr error;
};

}  // namespace

struct Graph::File {
  onnx::ModelProto model;
  std::set<std::string> constants;

  onnx::GraphProto& graph() { return *model.mutable_graph(); }
  // `data` are as many numbers of the type as the dimensions say.
  std::string constant(const std::string& name, onnx::TensorProto::DataType type, const Ints& dims, const void* data,
                       size_t bytes) {
    if (!constants.insert(name).second) return name;
    onnx::TensorProto& made = *graph().add_initializer();
    made.set_name(name);
    made.set_data_type(type);
    for (const int64_t dim : dims) made.add_dims(dim);
    made.set_raw_data(data, bytes);
    return name;
  }
};

Graph::Graph(const std::string& name) : file_(std::make_unique<File>()) {
  file_->model.set_ir_version(kIrVersion);
  file_->model.set_producer_name("hydravit");
  onnx::OperatorSetIdProto& operators = *file_->model.add_opset_import();
  operators.set_domain("");
  operators.set_version(kOpset);
  file_->graph().set_name(name);
}
Graph::~Graph() = default;

std::string Graph::node(const std::string& name, const char* op, const Names& inputs,
                        const std::vector<Attribute>& attributes) {
  return node(name, op, inputs, attributes, {name})[0];
}

Names Graph::node(const std::string& name, const char* op, const Names& inputs, const std::vector<Attribute>& attributes,
                  const Names& outputs) {
  onnx::NodeProto& made = *file_->graph().add_node();
  made.set_name(name);
  made.set_op_type(op);
  for (const std::string& input : inputs) made.add_input(input);
  for (const std::string& output : outputs) made.add_output(output);
  for (const Attribute& attribute : attributes) set(*made.add_attribute(), attribute);
  return outputs;
}

std::string Graph::weight(const std::string& name, const Tensor& value) {
  static_assert(sizeof(Real) == 4, "ONNX files hold float32");
  const Ints dims(value.shape().begin(), value.shape().end());
  const size_t bytes = static_cast<size_t>(value.numel()) * sizeof(Real);
  return file_->constant(name, onnx::TensorProto::FLOAT, dims, value.data(), bytes);
}
std::string Graph::number(const std::string& name, double value) {
  const float rounded = static_cast<float>(value);
  return file_->constant(name, onnx::TensorProto::FLOAT, {}, &rounded, sizeof rounded);
}
std::string Graph::index(const std::string& name, int64_t value) {
  return file_->constant(name, onnx::TensorProto::INT64, {}, &value, sizeof value);
}
std::string Graph::shape(const std::string& name, const Ints& numbers) {
  const auto rank = static_cast<int64_t>(numbers.size());
  return file_->constant(name, onnx::TensorProto::INT64, {rank}, numbers.data(), numbers.size() * sizeof(int64_t));
}

void Graph::input(const std::string& name, const Ints& sizes) { describe(*file_->graph().add_input(), name, sizes); }
void Graph::output(const std::string& name, const Ints& sizes) { describe(*file_->graph().add_output(), name, sizes); }

void Graph::save(const std::string& path, const std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *file_->model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  Output output(path);
  bool written;
  {
    google::protobuf::io::CopyingOutputStreamAdaptor stream(&output, 1 << 20);
    written = file_->model.SerializeToZeroCopyStream(&stream) && stream.Flush();
  }
  if (output.error) std::rethrow_exception(output.error);
  HV_CHECK(written, path, ": protobuf could not write the model");
  output.file.commit();
}

}  // namespace hv::train::onnx_graph
