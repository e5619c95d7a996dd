#include "train/describe/describe.h"

#include "core/check.h"
#include "train/io/print.h"

namespace hv::train {

Lines verify_lines(const std::string& directory, const data::VerifyResult& result) {
  Lines lines;
  for (const data::FileCheck& file : result.files) {
    const char* verdict = file.official ? "official" : "good";
    lines.push_back(concat(print("%-8s ", file.problem.empty() ? verdict : "BAD"), file.path,
                           file.records > 0 ? concat("  ", file.records, " records") : "",
                           file.sha256.empty() ? "" : "  sha256 " + file.sha256,
                           file.problem.empty() ? "" : "  " + file.problem));
  }
  for (const std::string& note : result.notes) lines.push_back("NOTICE   " + note);
  lines.push_back(concat(directory, ": ", result.name, ", ", result.images, " readable images",
                         result.official ? ", all files are the official ones" : ""));
  for (const std::string& path : result.first_warned) lines.push_back("warned   " + path);
  if (result.warned > 0) {
    lines.push_back(concat(result.warned, " of them were read with warnings (the first few are above); no pixels are missing"));
  }
  const auto count = [&](int64_t number, const char* what) {
    if (number > 0) lines.push_back(concat(number, " ", what, number > 10 ? " (the first ten are above)" : ""));
  };
  count(result.rows_without_picture, "rows without a picture");
  count(result.pictures_without_row, "pictures without a row");
  count(result.same_names, "pictures with the name of another one");
  count(result.unreadable, "pictures that cannot be read");
  if (!result.class_names.empty()) {
    for (const std::string& line : label_table(result.class_names, result.splits)) lines.push_back(line);
  }
  return lines;
}

std::string verify_json(const std::string& directory, const data::VerifyResult& result) {
  Json files = Json::empty_list();
  for (const data::FileCheck& file : result.files) {
    Json one = {{"path", file.path}};
    if (!file.sha256.empty()) one.append({{"bytes", file.bytes}, {"records", file.records}, {"sha256", file.sha256}});
    one.append({{"official", file.official}, {"problem", file.problem}});
    files.push(one);
  }
  Json json = {{"data", directory},       {"kind", result.name},         {"ok", result.ok},          {"images", result.images},
               {"warned", result.warned}, {"official", result.official}, {"files", std::move(files)}};
  json.add("notes", Json::list(result.notes));
  if (!result.class_names.empty()) {
    json.append({{"rows_without_picture", result.rows_without_picture},
                 {"pictures_without_row", result.pictures_without_row},
                 {"same_names", result.same_names},
                 {"unreadable", result.unreadable},
                 {"splits", splits_json(result.class_names, result.splits)}});
  }
  return json.text();
}

Lines stats_lines(const data::Stats& s, const std::string& split, const std::vector<data::SplitCounts>& splits) {
  Lines lines = {concat(s.name, ", ", split, ": ", s.images, " images of 3 x ", s.height, " x ", s.width, ", ",
                        s.class_names.size(), " classes, checksum ", s.checksum)};
  lines.push_back(print("mean          %.4f %.4f %.4f", s.mean[0], s.mean[1], s.mean[2]));
  lines.push_back(
      print("std           %.4f %.4f %.4f  over all pixels: what normalisation uses", s.std[0], s.std[1], s.std[2]));
  lines.push_back(print("std per image %.4f %.4f %.4f  mean over images: smaller, often copied by mistake", s.image_std[0],
                        s.image_std[1], s.image_std[2]));
  if (s.counts.several) {
    for (const std::string& line : label_table(s.class_names, splits)) lines.push_back(line);
    for (const std::string& line : together_table(s.class_names, s.counts)) lines.push_back(line);
    return lines;
  }
  for (size_t i = 0; i < s.class_names.size(); ++i)
    lines.push_back(print("%5zu %-20s %lld", i, s.class_names[i].c_str(), static_cast<long long>(s.counts.positives[i])));
  return lines;
}

std::string stats_json(const data::Stats& s, const std::string& split, const std::vector<data::SplitCounts>& splits) {
  Json json = {{"kind", s.name},     {"split", split},   {"images", s.images},
               {"height", s.height}, {"width", s.width}, {"checksum", s.checksum}};
  json.add("mean", Json::list(s.mean)).add("std", Json::list(s.std)).add("image_std", Json::list(s.image_std));
  json.add("classes", Json::list(s.class_names));
  if (s.counts.several) {
    json.add("splits", splits_json(s.class_names, splits));
  } else {
    json.add("class_counts", Json::list(s.counts.positives));
  }
  return json.text();
}

}  // namespace hv::train
