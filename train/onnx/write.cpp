#include "train/onnx/write.h"

#include <climits>

#include "models/kinds.h"
#include "train/exchange/layers.h"
#include "train/exchange/timm_safetensors.h"
#include "train/onnx/layers.h"
#include "train/onnx/vit.h"

namespace hv::train {

void write_onnx(const std::string& path, const TimmModel& model) {
  const models::PlainVit& v = model.vit;
  const std::vector<models::Cost> widths = models::costs(model.config);
  HV_CHECK_USAGE(widths.size() == 1,
                 "--heads: an ONNX file computes one width; name it: ", widths.front().subnet.axes.at(0).value, " to ",
                 widths.back().subnet.axes.at(0).value);
  // Protobuf counts bytes in int. The graph and the metadata take less than a megabyte.
  int64_t bytes = 1 << 20;
  for (const TimmShape& tensor : shapes_of(model)) bytes += numel(tensor.shape) * 4;
  HV_CHECK_USAGE(bytes <= INT_MAX, path, ": a model of ", bytes >> 20,
                 " MiB, an ONNX file holds less than 2048; ask for fewer --heads or ", "another --format");

  Metadata metadata = model.config;
  for (const std::string& name : model.class_names) metadata["class_names"] += name + "\n";
  metadata["mean"] = triple_text(model.mean);
  metadata["std"] = triple_text(model.std);
  onnx_graph::Pieces graph(concat(model.layers ? "hydravit-layers" : "hydravit-heads", v.heads), model);
  graph.input("images", {v.channels, v.input(), v.input()});
  graph.output("logits", {v.classes});
  if (model.layers) {
    add_layers(graph, *model.layers);
  } else {
    add_vit(graph);
  }
  graph.save(path, metadata);
}

}  // namespace hv::train
