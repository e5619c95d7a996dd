// Builds a page of HTML part by part, in order. The page is one file: it has no script and loads nothing from the network.
//
// Invariants
//   1. Texts are escaped when they are added; bytes that are not valid UTF-8 are replaced by U+FFFD.
//   2. Pictures are embedded while the page stays below `limit` bytes; for further pictures, the page only names their file.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/image.h"

namespace hv::train {

std::string escape(const std::string& text);  // for the text and the attributes of HTML and SVG

struct Tile {
  data::Image image;
  std::string caption;
};

// Adds a drawing to the page, and writes it to a file of that name.
using Figure = std::function<void(const std::string& name, const std::string& drawing, const std::string& caption)>;
// The same of pictures, in rows of so many.
using Tiles = std::function<void(const std::string& name, const std::vector<Tile>& tiles, int64_t columns)>;

class Page {
 public:
  explicit Page(std::string title, size_t limit = size_t{2800} << 10) : title_(std::move(title)), limit_(limit) {}

  void section(const std::string& id, const std::string& heading);
  void heading(const std::string& text);                                // within a section
  void text(const std::string& paragraph);                              // plain text
  void missing(const std::string& why);                                 // a note that data are missing
  void figure(const std::string& svg, const std::string& caption);      // consecutive figures stand side by side
  void tiles(const std::vector<Tile>& tiles, const std::string& file);  // `file` holds them, too
  void code(const std::string& text);                                   // preformatted
  // The first row holds the column titles, and the first cell of each row is its name.
  void table(const std::vector<std::vector<std::string>>& rows, bool texts = false);  // texts: the cells are not numbers
  // A table of texts that the reader must unfold.
  void fold(const std::string& heading, const std::vector<std::vector<std::string>>& rows);
  void folded(const std::string& heading, const std::function<void()>& part);  // the same, of what `part` adds
  std::string finish();                                                        // the whole page; call it last

 private:
  void close_figures();
  std::string title_, body_;
  size_t limit_;
  std::vector<std::pair<std::string, std::string>> contents_;  // id, heading
  bool figures_ = false;
};

}  // namespace hv::train
