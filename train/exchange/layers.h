// Models whose blocks have sizes of their own (models/layered_vit.h), in files.
//
// Invariants
//   1. Where timm can run one (LayeredVit::plain), its file is laid out as timm's. Its metadata are the same either way, so
//      they decide the layout.
//   2. All others, whole or a subnetwork alone, have our names and bytes, and only this program reads them.
// Thread rule: pure functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "train/exchange/timm_layout.h"

namespace hv::train {

// False, and nothing changes, if the kind of model.config describes no such models. Else sets what the layout of a file of it
// is: `vit`, and `layers` or nothing.
bool describe_layers(TimmModel& model);
std::vector<TimmShape> our_shapes(const models::Config& config);  // of our parameters, in the model's order
std::vector<TimmShape> shapes_of(const TimmModel& model);         // of a file's tensors; of any kind

// Both directions: the tensors of a described model from our parameters, and back.
void put_layers(const std::function<Tensor(const std::string& name)>& ours, TimmModel& model);
std::vector<NamedTensor> our_parameters(const TimmModel& model);

}  // namespace hv::train
