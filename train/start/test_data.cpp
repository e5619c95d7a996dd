#include "train/start/test_data.h"

#include <cstdlib>
#include <filesystem>

#include "data/classes.h"
#include "train/io/print.h"
#include "train/io/printable.h"
#include "train/start/setup.h"

namespace hv::train {
namespace {

std::string entry_of(const std::map<std::string, std::string>& entries, const std::string& name) {
  const auto found = entries.find(name);
  return found == entries.end() ? "" : found->second;
}

// The folder of the training. Not of another set that might be at hand: its results would pass for those of the data asked for.
std::string stored_folder(const Loaded& loaded) {
  std::string folder = entry_of(loaded.header.options, "data");
  const char* const environment = std::getenv("HYDRAVIT_DATA");
  if (folder.empty() && environment) folder = environment;
  HV_CHECK_USAGE(!folder.empty(), loaded.path, ": does not say which data it was trained on; name a folder with --data");
  std::error_code ignored;
  HV_CHECK_INPUT(data::is_built_in(folder) || std::filesystem::is_directory(folder, ignored), loaded.path,
                 ": the data it was trained on, ", printable(folder), ", are not there: name their folder with --data");
  return folder;
}

}  // namespace

data::DatasetPtr with_classes_of(const Header& header, const std::string& checkpoint, data::DatasetPtr set, bool ignore_names) {
  const std::vector<std::string>&wanted = header.class_names, &found = set->class_names();
  if (ignore_names || wanted.size() != found.size()) return set;
  switch (data::match_classes(wanted, found)) {
    case data::ClassMatch::same:
      return set;
    case data::ClassMatch::reordered:
      say(concat("NOTICE: ", checkpoint, " has the classes of ", set->name(), " in another order; they are matched by name"));
      return data::reorder_classes(std::move(set), wanted);
    case data::ClassMatch::unknown:
      say(concat("NOTICE: classes of ", checkpoint, " and ", set->name(),
                 " are matched by number, because one of them does not name its classes"));
      return set;
    case data::ClassMatch::other:
      break;
  }
  fail(Fault::input, checkpoint, ": has other classes than the data: it knows ", printable(data::names_missing(wanted, found)),
       ", ", set->name(), " has ", printable(data::names_missing(found, wanted)),
       "; name its data with --data, or match the classes by number with --ignore-class-names");
}

TestData open_test_data(const Loaded& loaded, std::string folder, std::string kind, bool ignore_class_names) {
  const bool named = !folder.empty() || data::is_built_in(kind);
  if (!named) folder = stored_folder(loaded);
  const std::string stored_kind = entry_of(loaded.header.options, "kind");
  if (kind == "auto" && !stored_kind.empty() && !(named && data::is_built_in(stored_kind))) kind = stored_kind;
  TestData test{choose_data(folder, kind, loaded.model->image_size()), nullptr, nullptr};
  test.set = data::open(test.source, data::Split::test);
  say_notes({test.set.get()});
  const models::ElasticModel& model = *loaded.model;
  HV_CHECK_INPUT(test.set->classes() == model.classes() && test.set->height() == model.image_size(), loaded.path,
                 ": a model of ", model.classes(), " classes and images of ", model.image_size(), "; ", test.set->name(),
                 " has ", test.set->classes(), " and ", test.set->height(), "; name its data with --data");
  test.set = with_classes_of(loaded.header, loaded.path, std::move(test.set), ignore_class_names);
  HV_CHECK_INPUT(test.set->label(0) < 0 || !model.independent(), loaded.path,
                 ": a model of labels that do not exclude each other; those of ", test.set->name(),
                 " do; name its data with --data");
  if (data::has_validation(test.source)) {
    test.validation = data::open(test.source, data::Split::validation);
    test.validation = with_classes_of(loaded.header, loaded.path, std::move(test.validation), ignore_class_names);
  }
  const std::string checksum = entry_of(loaded.header.provenance, "test_checksum");
  if (!named && entry_of(loaded.header.options, "data") == folder && !checksum.empty()) {
    HV_CHECK_INPUT(checksum == test.set->checksum(), printable(folder), ": these are not the test images of ", loaded.path,
                   " (checksum ", test.set->checksum(), ", expected ", checksum,
                   "): name their folder with --data, or this one to use what it holds now");
  }
  return test;
}

}  // namespace hv::train
