// Printing: the shape first, then the elements. Of long dimensions only both ends are shown.
#include <iomanip>
#include <ostream>

#include "core/autograd.h"
#include "core/tensor.h"

namespace hv {
namespace {

constexpr int64_t kEdge = 3;     // entries shown at each end of a long dimension
constexpr int64_t kShowAll = 8;  // up to this size nothing is left out

void print(std::ostream& out, const Tensor& t, int indent) {
  if (t.rank() == 0) {
    out << std::setw(10) << *t.data();
    return;
  }
  const int64_t n = t.size(0);
  out << '[';
  for (int64_t i = 0; i < n; ++i) {
    if (n > kShowAll && i == kEdge) {
      out << (t.rank() == 1 ? ", ..." : ",\n" + std::string(static_cast<size_t>(indent) + 1, ' ') + "...");
      i = n - kEdge;
    }
    if (i > 0) out << (t.rank() == 1 ? ", " : ",\n" + std::string(static_cast<size_t>(indent) + 1, ' '));
    print(out, t.select(0, i), indent + 1);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "Tensor (undefined)";
  NoGrad off;
  out << "Tensor " << tensor.shape() << (tensor.requires_grad() ? " requires_grad" : "") << '\n';
  const auto flags = out.flags();
  const auto precision = out.precision(5);
  print(out, tensor.detach(), 0);
  out.flags(flags);
  out.precision(precision);
  return out;
}

}  // namespace hv
