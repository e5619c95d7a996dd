#include "data/folder.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>

#include "core/check.h"
#include "core/parallel.h"
#include "data/checksum.h"
#include "data/files.h"
#include "data/image.h"

namespace hv::data {
namespace {

constexpr int64_t kDecodedLimit = int64_t{1} << 30;

bool is_image_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.ends_with(".png") || name.ends_with(".jpg") || name.ends_with(".jpeg");
}

std::vector<std::string> image_names(const std::string& directory) {
  std::vector<std::string> names = list_directory(directory, false);
  std::erase_if(names, [](const std::string& name) { return !is_image_name(name); });
  return names;
}

struct Layout {
  std::string train, test;  // directories of class directories
  bool divided = false;     // one directory serves both: every fifth image of a class is for testing
};

Layout layout_of(const std::string& root) {
  const std::vector<std::string> names = list_directory(root, true);
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (!has("train")) return {root, root, true};
  if (has("val")) return {join(root, "train"), join(root, "val"), false};
  if (has("test")) return {join(root, "train"), join(root, "test"), false};
  return {join(root, "train"), join(root, "train"), true};
}

class FolderDataset : public Dataset {
 public:
  FolderDataset(const std::string& root, Split split, int64_t side) : list_(list_folder(root, split)) {
    HV_CHECK_USAGE(side >= 8 && side <= 1024, "folder: image size out of range: ", side, ": expected 8 to 1024");
    name_ = "folder";
    split_ = split;
    class_names_ = list_.class_names;
    height_ = width_ = side;
    normalization_ = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};  // ImageNet's, as is usual for photographs
    if (size() * image_bytes() <= kDecodedLimit) decode_all();
  }

  int64_t size() const override { return static_cast<int64_t>(list_.paths.size()); }
  int64_t label(int64_t i) const override { return list_.labels[checked(i)]; }
  void image(int64_t i, uint8_t* chw) const override {
    const size_t at = checked(i);
    if (!decoded_.empty()) {
      std::memcpy(chw, decoded_.data() + i * image_bytes(), static_cast<size_t>(image_bytes()));
    } else {
      const Image picture = resize_and_crop(load_image(list_.paths[at]), height_);
      std::memcpy(chw, picture.chw.data(), picture.chw.size());
    }
  }
  std::string checksum() const override {
    std::call_once(checksum_once_, [&] {
      // A chain of hashes over what training sees: the label and the resized pixels of every image.
      std::vector<uint8_t> pixels(static_cast<size_t>(image_bytes()));
      uint64_t hash = 0;
      for (int64_t i = 0; i < size(); ++i) {
        image(i, pixels.data());
        hash = xxh64(pixels, hash + static_cast<uint64_t>(label(i)));
      }
      checksum_ = hex64(hash);
    });
    return checksum_;
  }

 private:
  size_t checked(int64_t i) const {
    HV_CHECK(i >= 0 && i < size(), "folder: image ", i, " of ", size());
    return static_cast<size_t>(i);
  }

  void decode_all() {
    std::vector<uint8_t> all(static_cast<size_t>(size() * image_bytes()));
    std::vector<std::exception_ptr> errors(list_.paths.size());
    parallel_for(size(), [&](int64_t i) {  // no exception may leave the parallel region
      try {
        image(i, all.data() + i * image_bytes());
      } catch (...) {
        errors[static_cast<size_t>(i)] = std::current_exception();  // allocates nothing
      }
    });
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    decoded_ = std::move(all);
  }

  FolderList list_;
  std::vector<uint8_t> decoded_;  // empty: decode on every read
  mutable std::once_flag checksum_once_;
  mutable std::string checksum_;
};

}  // namespace

FolderList list_folder(const std::string& root, Split split) {
  FolderList list;
  const Layout layout = layout_of(root);
  const auto known = [&](const std::string& name) {
    return std::find(list.class_names.begin(), list.class_names.end(), name) != list.class_names.end();
  };
  for (const std::string& name : list_directory(layout.train, true)) {
    if (!image_names(join(layout.train, name)).empty()) {
      check_class_name(name, layout.train);
      list.class_names.push_back(name);
    }
  }
  HV_CHECK_INPUT(!list.class_names.empty(), root, ": no folder of images: expected ", layout.train,
                 "/<class>/*.png or *.jpg: name another directory");
  const std::string& place = split == Split::train ? layout.train : layout.test;
  for (const std::string& name : list_directory(place, true))
    HV_CHECK_INPUT(known(name) || image_names(join(place, name)).empty(), join(place, name),
                   ": this class has no training images in ", layout.train, ": add some or remove it");
  for (size_t k = 0; k < list.class_names.size(); ++k) {
    const std::string directory = join(place, list.class_names[k]);
    const std::vector<std::string> names = image_names(directory);
    for (size_t i = 0; i < names.size(); ++i) {
      if (layout.divided && (i % 5 == 4) != (split == Split::test)) continue;
      list.paths.push_back(join(directory, names[i]));
      list.labels.push_back(static_cast<int64_t>(k));
    }
  }
  HV_CHECK_INPUT(!list.paths.empty(), place, ": no ", split_name(split), " images",
                 layout.divided ? ": every fifth image of a class is for testing, so at least 5 are needed" : ": add some");
  return list;
}

DatasetPtr open_folder(const std::string& root, Split split, int64_t size) {
  return std::make_shared<FolderDataset>(root, split, size);
}

bool is_image_folder(const std::string& root) {
  const std::string place = layout_of(root).train;
  const std::vector<std::string> classes = list_directory(place, true);
  return std::any_of(classes.begin(), classes.end(),
                     [&](const std::string& name) { return !image_names(join(place, name)).empty(); });
}

}  // namespace hv::data
