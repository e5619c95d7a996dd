// A page of HTML, put together in order: one file with everything in it, no script, nothing from the network.
//
// Invariants
//   1. Texts are escaped where they enter; what is not valid UTF-8 is replaced.
//   2. Pictures are embedded while the page stays below `limit` bytes; later ones are only named by their files.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/image.h"

namespace hv::train {

std::string escape(const std::string& text);  // for HTML and SVG, in text and in attributes

struct Tile {
  data::Image image;
  std::string caption;
};

class Page {
 public:
  explicit Page(std::string title, size_t limit = size_t{2800} << 10) : title_(std::move(title)), limit_(limit) {}

  void section(const std::string& id, const std::string& heading);
  void heading(const std::string& text);                                // within a section
  void text(const std::string& paragraph);                              // plain text
  void missing(const std::string& why);                                 // a section that has no data
  void figure(const std::string& svg, const std::string& caption);      // figures in a row share the width
  void tiles(const std::vector<Tile>& tiles, const std::string& file);  // `file` holds them too
  void code(const std::string& text);
  // The first row is the head; of each row the first cell is its name.
  void table(const std::vector<std::vector<std::string>>& rows, bool texts = false);  // texts: not numbers
  // The same, two columns of text, folded away.
  void fold(const std::string& heading, const std::vector<std::vector<std::string>>& rows);
  std::string finish();

 private:
  void close_figures();
  std::string title_, body_;
  size_t limit_;
  std::vector<std::pair<std::string, std::string>> contents_;  // id, heading
  bool figures_ = false;
};

}  // namespace hv::train
