// hydravit info: what a checkpoint or a safetensors file holds. Reads the header alone; --verify reads and checks every byte.
#include <algorithm>
#include <cstdio>

#include "models/classifiers.h"
#include "train/commands/commands.h"
#include "train/exchange/timm_safetensors.h"
#include "train/io/json.h"
#include "train/io/print.h"
#include "train/options.h"
#include "train/scores/stored_thresholds.h"
#include "train/start/setup.h"
#include "train/state/run_folder.h"
#include "train/structure/layers.h"
#include "train/subnets.h"
#include "train/views/cost_table.h"

namespace hv::train {
namespace {

struct InfoArguments {
  std::vector<std::string> checkpoint;
  SubnetChoice subnets;
  bool verify = false, tensors = false, json = false;
};

void print_group(const char* title, const std::map<std::string, std::string>& entries) {
  if (entries.empty()) return;
  std::printf("%s\n", title);
  for (const auto& [key, value] : entries) {
    if (!value.empty()) std::printf("  %-14s %s\n", printable(key).c_str(), printable(value).c_str());
  }
}

struct Row {
  std::string name, dtype;
  Shape shape;
};
void print_tensors(const std::vector<Row>& rows, bool listed) {
  int64_t elements = 0;
  for (const Row& row : rows) elements += numel(row.shape);
  std::printf("tensors: %zu, %lld numbers%s\n", rows.size(), static_cast<long long>(elements),
              listed ? "" : " (--tensors lists them)");
  for (const Row& row : rows) {
    if (listed) std::printf("  %-44s %-4s %s\n", printable(row.name).c_str(), row.dtype.c_str(), concat(row.shape).c_str());
  }
}

// Which classifier serves which widths, if there are several; with them the file holds more than its widest subnetwork uses.
void print_classifiers(const models::Config& model) {
  const std::vector<models::Cost> costs = models::costs(model);
  const auto table = models::classifier_table(costs);
  if (table.empty()) return;
  std::printf("classifiers\n");
  for (const auto& row : table) std::printf("  %10s %18s  %s\n", row[0].c_str(), row[2].c_str(), row[1].c_str());
  std::printf("  the whole model: %lld parameters\n", static_cast<long long>(models::all_params(costs)));
}

// The configuration, without what the table of layers shows.
void print_model(const char* title, const models::Config& model) {
  models::Config told = model;
  for (const std::string& entry : models::kind_of(model).layer_entries) told.erase(entry);
  print_group(title, told);
}

// What each block has of the subnetworks, if blocks have sizes of their own.
std::vector<models::LayerSizes> layers_of(const models::Config& model, const std::vector<models::Cost>& chosen) {
  const std::vector<models::LayerSizes> all = models::layer_sizes(model);
  std::vector<models::LayerSizes> some;
  for (const models::Cost& cost : chosen) {
    if (!all.empty()) some.push_back(all.at(static_cast<size_t>(cost.subnet.id)));
  }
  return some;
}

void print_layers(const std::vector<models::LayerSizes>& layers) {
  if (!layers.empty()) std::printf("layers\n%s", aligned(layer_table(layers), "  ").c_str());
}

Json widths_json(const std::vector<models::Cost>& costs) {
  Json json = Json::empty_list();
  for (const models::Cost& cost : costs) {
    Json one = axes_json(cost.subnet, true);
    one.add("params", cost.params).add("macs", cost.macs).add("macs_with_norms", cost.macs_with_norms);
    if (!cost.tokens.empty()) one.add("tokens", Json::list(cost.tokens));
    json.push(one);
  }
  return json;
}

std::string info_json(const Header& header, const std::vector<models::Cost>& costs) {
  TrainOptions known;  // for the types of its fields
  Json tensors = Json::empty_list();
  for (const TensorEntry& entry : header.tensors) {
    tensors.push({{"name", entry.name}, {"shape", Json::list(entry.shape)}, {"crc32c", entry.crc}});
  }
  return Json{{"format", kCheckpointFormat},
              {"model", typed(header.model)},
              {"widths", widths_json(costs)},
              {"layers", layers_json(layers_of(header.model, costs))},
              {"options", typed(header.options, train_fields(known))},
              {"provenance", header.provenance},
              {"counters", header.counters},
              {"metrics", header.metrics},
              {"seed", header.seed},
              {"class_names", Json::list(header.class_names)},
              {"mean", Json::list(header.mean)},
              {"std", Json::list(header.std)},
              {"tensors", tensors}}
      .text();
}

// `model` and `costs` are empty if the architecture is not known.
std::string info_json(const SafetensorsHeader& header, const models::Config& model, const std::vector<models::Cost>& costs) {
  Json tensors = Json::empty_list();
  for (const StoredTensor& tensor : header.tensors) {
    tensors.push({{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", Json::list(tensor.shape)}});
  }
  return Json{{"format", "safetensors"},
              {"model", typed(model)},
              {"widths", widths_json(costs)},
              {"layers", layers_json(model.empty() ? std::vector<models::LayerSizes>{} : layers_of(model, costs))},
              {"metadata", header.metadata},
              {"tensors", tensors}}
      .text();
}

std::vector<models::Cost> chosen(const std::vector<models::Cost>& all, const SubnetChoice& choice) {
  std::vector<models::Subnet> subnets;
  for (const models::Cost& cost : all) subnets.push_back(cost.subnet);
  std::vector<models::Cost> some;
  for (const models::Subnet& subnet : choose_subnets(subnets, choice, "the model; it runs with ")) {
    some.push_back(all.at(static_cast<size_t>(subnet.id)));
  }
  return some;
}

void checkpoint_info(const std::string& path, const InfoArguments& a) {
  const Header header = a.verify ? load_checkpoint(path, [](const std::string&) { return false; }).header : read_header(path);
  std::vector<models::Cost> costs;
  try {
    costs = models::costs(header.model);
  } catch (const Error& error) {
    fail(Fault::input, path, ": describes no model this program can build: ", error.what());
  }
  costs = chosen(costs, a.subnets);
  if (a.json) {
    std::printf("%s\n", info_json(header, costs).c_str());
    return;
  }
  show(concat(path, ": format ", kCheckpointFormat, ", ",
              a.verify ? "every byte verified" : "header verified (--verify checks every byte)"));
  print_model("model", header.model);
  if (!header.counters.empty() || !header.metrics.empty()) std::printf("progress\n");
  const auto key = [](const std::string& name) { return print("  %-14s ", printable(name).c_str()); };
  for (const auto& [name, value] : header.counters) show(concat(key(name), value));
  size_t thresholds = 0;
  for (const auto& [name, value] : header.metrics) {
    thresholds += is_threshold(name);
    if (!is_threshold(name)) show(key(name) + print("%.6g", value));
  }
  if (thresholds > 0) show(concat(key("thresholds"), thresholds, ", per label, width and kind of weights (--json lists them)"));
  print_group("options", header.options);
  print_group("provenance", header.provenance);
  std::printf("%s", cost_table(costs, header.metrics).c_str());
  print_classifiers(header.model);
  print_layers(layers_of(header.model, costs));
  std::vector<Row> rows;
  for (const TensorEntry& entry : header.tensors) rows.push_back({entry.name, "F32", entry.shape});
  print_tensors(rows, a.tensors);
}

// Of a vision transformer in timm's layout also its configuration and widths; of any other file the metadata and the tensors.
void safetensors_info(const std::string& path, const InfoArguments& a) {
  const SafetensorsHeader header = read_safetensors_header(path);
  const bool has_checksum = header.metadata.count(kSafetensorsChecksum) > 0;
  if (a.verify) load_safetensors(path, [](const std::string&) { return false; });
  models::Config model;
  std::vector<models::Cost> costs;
  std::string unknown, guess;
  try {
    const TimmModel timm = describe_timm(path, header);
    guess = timm.guess;
    model = timm.config;
    costs = models::costs(model);
  } catch (const Error& error) {
    unknown = error.what();
  }
  if (!costs.empty()) costs = chosen(costs, a.subnets);
  if (a.json) {
    std::printf("%s\n", info_json(header, model, costs).c_str());
    return;
  }
  const char* checked = a.verify ? "every byte verified" : "header and places verified (--verify checks every byte)";
  show(concat(path, ": safetensors, ", has_checksum ? checked : "header and places verified (the file has no checksum)"));
  if (unknown.rfind(path + ": ", 0) == 0) unknown.erase(0, path.size() + 2);
  if (!unknown.empty()) show("architecture unknown: " + unknown);
  if (!guess.empty()) show("NOTICE: " + guess);
  if (!describes_itself(header) && !model.empty()) print_model("model, by its tensors", model);
  print_group("metadata", header.metadata);
  std::printf("%s", cost_table(costs).c_str());
  if (!model.empty()) {
    print_classifiers(model);
    print_layers(layers_of(model, costs));
  }
  std::vector<Row> rows;
  for (const StoredTensor& tensor : header.tensors) rows.push_back({tensor.name, tensor.dtype, tensor.shape});
  print_tensors(rows, a.tensors || costs.empty());
}

int run_info(const InfoArguments& a) {
  const Place place = checkpoint_place(a.checkpoint.at(0));
  const std::string path = place.text();
  HV_CHECK_INPUT(what_is(place) != What::link, path, ": is a link; expected the file itself");
  if (is_safetensors(path)) {
    safetensors_info(path, a);
  } else {
    checkpoint_info(path, a);
  }
  return 0;
}

}  // namespace

Command info_command() {
  const auto a = std::make_shared<InfoArguments>();
  Fields fields = {
      {kSubnetsOption, &a->subnets.heads, "widths to list, as 5, 3-8, 3,5,8 or all; default: all"},
      {kNamesOption, &a->subnets.names, kNamesHelp},
      {"verify", &a->verify, "check every byte", 0, 0, {}, true},
      {"tensors", &a->tensors, "list the tensors", 0, 0, {}, true},
      {"json", &a->json, "the header, machine-readable", 0, 0, {}, true},
  };
  return {"info",
          "what a checkpoint or a safetensors file holds",
          std::move(fields),
          {{"FILE", "checkpoint, run folder or safetensors file", &a->checkpoint}},
          [a](const std::set<std::string>&) { return run_info(*a); }};
}

}  // namespace hv::train
