#include "train/draw/html.h"

#include <algorithm>

#include "core/check.h"
#include "data/sha256.h"
#include "train/io/printable.h"

namespace hv::train {
namespace {

constexpr const char* kStyle =
    R"(:root{color-scheme:light dark;--bg:#fff;--fg:#24292f;--soft:#57606a;--rule:#d8dee4;--box:#f4f6f8}
@media(prefers-color-scheme:dark){:root{--bg:#16191d;--fg:#e6e9ec;--soft:#a3adb8;--rule:#363c44;--box:#20252b}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:1180px;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:.5rem 0;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-top:.7rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.2rem 0 .3rem}
p{margin:.4rem 0;max-width:75ch;overflow-wrap:anywhere}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;margin:.5rem 0}
a{color:inherit}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:1rem 2rem}
figure{margin:.5rem 0;min-width:0}
figure svg{display:block;width:100%;max-width:560px;height:auto}
figcaption{color:var(--soft);font-size:.875rem;max-width:75ch}
.tiles{display:flex;flex-wrap:wrap;gap:.7rem;margin:.6rem 0}
.tiles figure{width:100px;margin:0}
.tiles img{display:block;width:100px;height:100px;object-fit:contain;image-rendering:pixelated;background:var(--box)}
.tiles figcaption{font-size:.75rem;line-height:1.3;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top;white-space:nowrap}
th:first-child{text-align:left}
.texts td{white-space:normal}.texts th,.texts td{text-align:left;font-weight:400;overflow-wrap:anywhere}
.texts th[scope=col]{color:var(--soft)}
summary{cursor:pointer;margin:.5rem 0}
pre{background:var(--box);padding:.6rem .8rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
.missing{color:var(--soft);border-left:3px solid var(--rule);padding-left:.8rem}
)";

}  // namespace

std::string escape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = letter(text, i);
    const char c = text[i];
    if (length == 0 || (is_control(text, i) && c != '\n' && c != '\t')) {
      out += "\xef\xbf\xbd";
      i += std::max<size_t>(1, length);
      continue;
    }
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += text.substr(i, length);
    }
    i += length;
  }
  return out;
}

void Page::close_figures() {
  if (figures_) body_ += "</div>\n";
  figures_ = false;
}

void Page::section(const std::string& id, const std::string& heading) {
  close_figures();
  if (!contents_.empty()) body_ += "</section>\n";
  contents_.emplace_back(id, heading);
  body_ += concat("<section aria-labelledby=\"", escape(id), "\">\n<h2 id=\"", escape(id), "\">", escape(heading), "</h2>\n");
}

void Page::heading(const std::string& text) {
  close_figures();
  body_ += concat("<h3>", escape(text), "</h3>\n");
}

void Page::text(const std::string& paragraph) {
  close_figures();
  body_ += concat("<p>", escape(paragraph), "</p>\n");
}

void Page::missing(const std::string& why) {
  close_figures();
  body_ += concat("<p class=\"missing\">", escape(why), "</p>\n");
}

void Page::code(const std::string& text) {
  close_figures();
  body_ += concat("<pre><code>", escape(text), "</code></pre>\n");
}

void Page::figure(const std::string& svg, const std::string& caption) {
  if (!figures_) body_ += "<div class=\"row\">\n";
  figures_ = true;
  body_ += concat("<figure>", svg, "<figcaption>", escape(caption), "</figcaption></figure>\n");
}

void Page::tiles(const std::vector<Tile>& tiles, const std::string& file) {
  close_figures();
  std::string drawn = "<div class=\"tiles\">\n";
  for (const Tile& tile : tiles) {
    drawn +=
        concat("<figure><img alt=\"", escape(tile.caption), "\" src=\"data:image/png;base64,",
               data::base64(data::encode_png(tile.image)), "\"><figcaption>", escape(tile.caption), "</figcaption></figure>\n");
  }
  drawn += "</div>\n";
  if (body_.size() + drawn.size() < limit_) {
    body_ += drawn;
  } else {
    missing("Left out of this page to keep it small: see " + file + ".");
  }
}

void Page::folded(const std::string& heading, const std::function<void()>& part) {
  close_figures();
  body_ += concat("<details><summary>", escape(heading), "</summary>\n");
  part();
  close_figures();
  body_ += "</details>\n";
}

void Page::fold(const std::string& heading, const std::vector<std::vector<std::string>>& rows) {
  folded(heading, [&] { table(rows, true); });
}

void Page::table(const std::vector<std::vector<std::string>>& rows, bool texts) {
  close_figures();
  body_ += concat("<div class=\"wide\"><table", texts ? " class=\"texts\"" : "", ">\n");
  for (size_t i = 0; i < rows.size(); ++i) {
    body_ += "<tr>";
    for (size_t k = 0; k < rows[i].size(); ++k) {
      const char* scope = i == 0 ? " scope=\"col\"" : " scope=\"row\"";
      const bool head = i == 0 || k == 0;
      body_ += concat(head ? "<th" : "<td", head ? scope : "", ">", escape(rows[i][k]), head ? "</th>" : "</td>");
    }
    body_ += "</tr>\n";
  }
  body_ += "</table></div>\n";
}

std::string Page::finish() {
  close_figures();
  if (!contents_.empty()) body_ += "</section>\n";
  std::string nav;
  for (const auto& [id, heading] : contents_) nav += concat("<li><a href=\"#", escape(id), "\">", escape(heading), "</a></li>");
  return concat("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", escape(title_),
                "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<header><h1>", escape(title_),
                "</h1>\n<nav aria-label=\"Contents\"><ul>", nav, "</ul></nav></header>\n<main>\n", body_,
                "</main>\n</body>\n</html>\n");
}

}  // namespace hv::train
