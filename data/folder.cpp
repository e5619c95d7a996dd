#include "data/folder.h"

#include <strings.h>

#include <algorithm>

#include "core/check.h"
#include "data/files.h"
#include "data/picture_files.h"

namespace hv::data {
namespace {

using Names = std::vector<std::string>;

struct Layout {
  std::string train, test;  // directories of class directories
  bool divided = false;     // one directory serves both: every fifth image of a class is for testing
};

// "train" or "Train".
std::string find_name(const Names& names, const std::string& wanted) {
  const auto same = [&](const std::string& name) { return ::strcasecmp(name.c_str(), wanted.c_str()) == 0; };
  const auto found = std::find_if(names.begin(), names.end(), same);
  return found == names.end() ? "" : *found;
}

const Names kTestNames = {"val", "valid", "validation", "test"};  // the first that is there is used

bool has_classes(const std::string& place) {
  const Names names = list_directory(place, true);
  return std::any_of(names.begin(), names.end(), [&](const auto& name) { return any_picture_below(join(place, name)); });
}

// A folder called train may be a class like those beside it. It is a split if there are pictures in folders of its own; if it
// has pictures itself as well, only if nothing beside it could be a class.
bool is_split(const std::string& root, const std::string& train, const Names& names) {
  if (!has_classes(join(root, train))) return false;
  if (pictures_in(join(root, train)).empty()) return true;
  return std::none_of(names.begin(), names.end(), [&](const std::string& name) {
    const bool other = name != train && find_name(kTestNames, name).empty();
    return other && any_picture_below(join(root, name));
  });
}

Layout layout_of(const std::string& root, LeftOut& left_out) {
  const Names names = list_directory(root, true);
  const std::string train = find_name(names, "train");
  if (train.empty() || !is_split(root, train, names)) return {root, root, true};
  Names tests;
  for (const std::string& name : kTestNames) {
    if (const std::string found = find_name(names, name); !found.empty()) tests.push_back(found);
  }
  const auto full = std::find_if(tests.begin(), tests.end(), [&](const auto& name) { return has_classes(join(root, name)); });
  const std::string test = full != tests.end() ? *full : tests.empty() ? train : tests[0];
  for (const std::string& name : names) {
    if (name != train && name != test && any_picture_below(join(root, name)))
      left_out.add(concat("folders beside ", train, "/ and ", test, "/"), join(root, name));
  }
  return {join(root, train), join(root, test), tests.empty()};
}

// Folders that are all called as splits are no classes: those of the classes are missing in train/, or train/ itself is.
void check_not_only_splits(const std::string& root, const Names& classes) {
  const bool only = std::all_of(classes.begin(), classes.end(), [](const std::string& name) {
    return !find_name({"train"}, name).empty() || !find_name(kTestNames, name).empty();
  });
  HV_CHECK_INPUT(!only, root, ": no training images: expected ", join(root, "train"), "/<class>/*, found pictures in ",
                 join(root, classes[0]), ": sort them into class folders or name another directory");
}

class FolderDataset : public Dataset {
 public:
  FolderDataset(const std::string& root, Split split, FolderList list, int64_t side, Progress progress, int64_t decoded_limit)
      : set_(root, concat(split_name(split), ", ", side, " pixels"), std::move(list.paths), std::move(list.labels), side,
             std::move(progress), decoded_limit) {
    name_ = "folder";
    split_ = split;
    class_names_ = std::move(list.class_names);
    notes_ = std::move(list.notes);
    height_ = width_ = side;
    normalization_ = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};  // ImageNet's, as is usual for photographs
  }

  int64_t size() const override { return set_.size(); }
  int64_t label(int64_t i) const override { return set_.mark(i); }
  void image(int64_t i, uint8_t* chw) const override { set_.image(i, chw); }
  bool decodes() const override { return set_.decodes(); }
  std::string item_name(int64_t i) const override { return set_.path(i); }
  std::string checksum() const override { return set_.checksum(); }

 private:
  PictureSet set_;
};

}  // namespace

FolderList list_folder(const std::string& root, Split split) {
  FolderList list;
  LeftOut left_out;
  const Layout layout = layout_of(root, left_out);
  Names& classes = list.class_names;
  for (const std::string& name : list_directory(layout.train, true)) {
    if (!any_picture_below(join(layout.train, name))) continue;
    check_class_name(name, layout.train);
    classes.push_back(name);
  }
  HV_CHECK_INPUT(!classes.empty(), root, ": no folder of images: expected ", layout.train,
                 "/<class>/*.png or *.jpg: name another directory");
  if (layout.train == root) check_not_only_splits(root, classes);

  const std::string& place = split == Split::train ? layout.train : layout.test;
  for (const std::string& path : pictures_in(place)) left_out.add("pictures that lie in no class folder", path);
  std::vector<int64_t> images(classes.size(), 0);  // per class
  for (const Entry& entry : list_entries(place)) {
    const std::string folder = join(place, entry.name);
    if (entry.kind == Entry::other) left_out.add("links to nothing, pipes or devices", folder);
    if (entry.kind != Entry::folder) continue;
    const Names paths = pictures_below(folder, left_out);
    if (paths.empty()) {
      left_out.add("folders without pictures, which are no classes", folder);
      continue;
    }
    const auto known = std::find(classes.begin(), classes.end(), entry.name);
    HV_CHECK_INPUT(known != classes.end(), folder, ": this class has no training images in ", layout.train,
                   ": add some or remove it");
    const int64_t label = known - classes.begin();
    for (size_t i = 0; i < paths.size(); ++i) {
      if (layout.divided && (i % 5 == 4) != (split == Split::test)) continue;
      list.paths.push_back(paths[i]);
      list.labels.push_back(label);
      ++images[static_cast<size_t>(label)];
    }
  }
  HV_CHECK_INPUT(!list.paths.empty(), place, ": no ", split_name(split), " images",
                 layout.divided ? ": every fifth image of a class is for testing, so at least 5 are needed" : ": add some");
  list.notes = left_out.notes(root);
  if (classes.size() == 1) list.notes.push_back(concat(layout.train, ": holds one class only: ", classes[0]));
  const auto none = static_cast<size_t>(std::find(images.begin(), images.end(), 0) - images.begin());
  if (none < classes.size()) {
    list.notes.push_back(concat(place, ": ", std::count(images.begin(), images.end(), 0), " of ", classes.size(),
                                " classes have no ", split_name(split), " images; the first: ", classes[none]));
  }
  return list;
}

DatasetPtr open_folder(const std::string& root, Split split, int64_t size, Progress progress, int64_t decoded_limit) {
  return std::make_shared<FolderDataset>(root, split, list_folder(root, split), size, std::move(progress), decoded_limit);
}

bool is_image_folder(const std::string& root) {
  LeftOut ignored;
  return has_classes(layout_of(root, ignored).train);
}

bool has_class_folders(const std::string& root) {
  LeftOut ignored;
  const std::string place = layout_of(root, ignored).train;
  const Names classes = list_directory(place, true);
  return std::any_of(classes.begin(), classes.end(), [&](const auto& name) { return !pictures_in(join(place, name)).empty(); });
}

}  // namespace hv::data
