// The images that a model is judged on: what was asked for, and no other.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "data/open.h"
#include "train/state/load.h"

namespace hv::train {

struct TestData {
  data::Source source;
  data::DatasetPtr set;         // its classes are in the model's order
  data::DatasetPtr validation;  // as `set`; null if the data has none
};

// The test images of `folder`; if that is "", those of the training, and it is an error if they are not there any more or have
// changed. Classes that are not the model's by name are an error (Fault::input) unless that is to be ignored.
TestData open_test_data(const Loaded& loaded, std::string folder, std::string kind, bool ignore_class_names);

// The set with the classes in the order of a checkpoint's. Other classes, or another number of them: an error that names them.
data::DatasetPtr with_classes_of(const Header& header, const std::string& checkpoint, data::DatasetPtr set, bool ignore_names);

}  // namespace hv::train
