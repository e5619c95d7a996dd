#include "train/answers/drawing.h"

namespace hv::train {

Drawing drawing_of(const models::ElasticModel& model, const Header& header, const std::optional<std::string>& labels,
                   size_t images, size_t widths) {
  Drawing drawing{true};
  if (labels) drawing.labels = labels_named(*labels, header.class_names);
  drawing.by_label = model.independent() || labels;
  size_t rows = images, columns = widths;
  if (drawing.by_label) {
    rows = images * widths;
    columns = 1 + (labels ? drawing.labels.size() : kLabelsShown);
    HV_CHECK_USAGE(rows <= kMostExplained, "--explain: ", images, " pictures at ", widths, " widths; at most ", kMostExplained,
                   " rows fit into one PNG: name fewer");
  }
  drawing.bytes = explanation_bytes(rows, columns, model.image_size());
  return drawing;
}

data::Image Drawing::picture(const std::vector<Outcome>& outcomes, const std::vector<models::Subnet>& widths) const {
  return by_label ? label_explanation(outcomes) : explanation(outcomes, widths);
}

std::string Drawing::legend(const std::vector<models::Subnet>& widths) const {
  if (by_label) {
    return "a row per picture and width; columns: the picture, where the attention of all blocks together leads (rollout), and "
           "what speaks for each label (attention, weighted by gradients); dark blue is nothing, yellow the most of one heat";
  }
  std::string columns = "the picture";
  for (const models::Subnet& width : widths) columns += ", " + width.label;
  return concat("a row a picture; columns: ", columns, ": where the attention of all blocks together leads (rollout); ",
                "dark blue is the least of a row, yellow the most");
}

}  // namespace hv::train
