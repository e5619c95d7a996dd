// Dataset: a numbered list of colour images with targets, all of one size. What training and evaluation know of data.
//
// Invariants
//   1. Image i is 3 planes (red, green, blue) of height() rows of width() bytes.
//   2. target(i) is a row of classes() numbers: what a model should say of image i. With one label per image it is one-hot at
//      label(i), and 0 <= label(i) < classes(). A set whose images have several labels says -1 and writes the row itself.
//   3. A data set never changes: image i, its label and its target are the same on every call.
// Thread rule: all reading functions may be called from any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/storage.h"

namespace hv::data {

enum class Split { train, test, validation };  // validation: few kinds of data have it (data/open.h)
const char* split_name(Split split);           // "train", "test", "validation"

// x -> (x / 255 - mean) / std per channel. Always the training split's figures, for both splits.
struct Normalization {
  std::array<double, 3> mean, std;
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  const std::string& name() const { return name_; }  // "cifar10", "cifar100", "cifar100-coarse", "shapes10", "folder", ...
  Split split() const { return split_; }
  int64_t classes() const { return static_cast<int64_t>(class_names_.size()); }
  const std::vector<std::string>& class_names() const { return class_names_; }
  int64_t channels() const { return 3; }
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  int64_t image_bytes() const { return 3 * height_ * width_; }
  const Normalization& normalization() const { return normalization_; }
  // What a user must know of the set, one line each: files that were left out, files that are missing.
  const std::vector<std::string>& notes() const { return notes_; }

  virtual int64_t size() const = 0;
  virtual int64_t label(int64_t i) const = 0;
  // Whether the images lie in no order of their classes, so that the first n are a fair sample (data/sample.h).
  virtual bool mixed_order() const { return false; }
  // Writes classes() numbers. A label that is out of range is an error (Fault::input), before anything is written.
  virtual void target(int64_t i, Real* row) const;
  // How an evaluation scores what a model says (train/scores/scorer.h): "classes" means cross-entropy, top-1 and top-5.
  virtual std::string scorer() const { return "classes"; }
  virtual void image(int64_t i, uint8_t* chw) const = 0;  // writes image_bytes() bytes
  // Whether image() decodes a file on each call, so that several threads should read at once (data/loader.h).
  virtual bool decodes() const { return false; }
  // Images of one group are not independent of each other: those of one patient have the same number. -1: there are no groups.
  virtual int64_t group(int64_t) const { return -1; }
  virtual std::string item_name(int64_t i) const;  // what people call image i: the name of its file, else its number
  virtual std::string default_augment() const { return "basic"; }  // the preset that suits the images (data/augment.h)
  // Names the content: 16 hexadecimal digits, XXH64 of the bytes (data/checksum.h). Computed on the first call, then kept.
  virtual std::string checksum() const = 0;

 protected:
  Dataset() = default;
  std::string name_;
  Split split_ = Split::train;
  std::vector<std::string> class_names_, notes_;
  int64_t height_ = 0, width_ = 0;
  Normalization normalization_{{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
};

using DatasetPtr = std::shared_ptr<const Dataset>;

}  // namespace hv::data
