#include "train/log/summary.h"

#include <fstream>
#include <sstream>

#include "train/io/file.h"
#include "train/io/print.h"

namespace hv::train {

Summary::Summary(std::string path, const std::vector<models::Subnet>& widths, bool ema, int64_t step)
    : path_(std::move(path)), head_("step,images,epoch,seconds,lr,train_loss") {
  for (const char* weights : {"", "ema_"}) {
    if (*weights && !ema) continue;
    for (const models::Subnet& width : widths) head_ += concat(',', weights, "top1_heads", width.key);
    for (const models::Subnet& width : widths) head_ += concat(',', weights, "loss_heads", width.key);
  }
  std::ifstream old(path_);
  std::string line;
  if (!std::getline(old, line) || line != head_) return;
  while (std::getline(old, line)) {
    int64_t at = -1;
    std::istringstream(line) >> at;
    if (at >= 0 && at <= step) rows_.emplace_back(line.substr(0, line.find(',', line.find(',') + 1)), line);
  }
}

void Summary::add(const SummaryRow& row) {
  const std::string key = concat(row.step, ',', row.live.empty() ? 0 : row.live[0].images);
  std::string line = key + print(",%.4f,%.1f,%.6g,%.6f", row.epoch, row.seconds, row.lr, row.train_loss);
  for (const std::vector<WidthResult>* results : {&row.live, &row.ema}) {
    for (const WidthResult& result : *results) line += print(",%.4f", result.top1);
    for (const WidthResult& result : *results) line += print(",%.6f", result.loss);
  }
  std::erase_if(rows_, [&](const auto& old) { return old.first == key; });
  rows_.emplace_back(key, line);
  std::string text = head_ + "\n";
  for (const auto& [name, old] : rows_) text += old + "\n";
  write_file(path_, text);
}

std::string width_table(const std::vector<WidthResult>& live, const std::vector<WidthResult>& ema) {
  std::string text = print("%5s %5s %12s %14s %7s%s %10s\n", "heads", "dim", "params", "MACs", "top-1",
                           ema.empty() ? "" : "  (EMA)", "images/s");
  for (size_t i = 0; i < live.size(); ++i) {
    const WidthResult& r = live[i];
    text += print("%5lld %5lld %12lld %14lld %7.2f%s %10.0f\n", static_cast<long long>(r.subnet.key),
                  static_cast<long long>(r.subnet.dim), static_cast<long long>(r.params), static_cast<long long>(r.macs),
                  r.top1, ema.empty() ? "" : print(" %6.2f", ema[i].top1).c_str(), r.images_per_second);
  }
  return text;
}

std::string accuracy_line(const std::vector<WidthResult>& results) {
  std::string text = "top-1";
  for (const WidthResult& result : results) text += print(" %.1f", result.top1);
  return text + print(" (mean %.1f)", mean_top1(results));
}

}  // namespace hv::train
