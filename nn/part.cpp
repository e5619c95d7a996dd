#include "nn/part.h"

namespace hv::nn {
namespace {

thread_local bool trailing = false;

}  // namespace

TrailingParts::TrailingParts(bool on) : outer_(trailing) { trailing = on; }
TrailingParts::~TrailingParts() { trailing = outer_; }

Tensor part(const Tensor& parameter, int dim, int64_t n) {
  const int64_t size = parameter.size(dim);
  HV_CHECK(n >= 0 && n <= size, "part: ", n, " entries of dimension ", dim, " of ", parameter.shape());
  return trailing ? parameter.slice(dim, size - n, size) : parameter.slice(dim, 0, n);
}

Tensor live(const Parameter& parameter, int64_t width, int64_t full_width) {
  const Shape& shape = parameter.value.shape();
  HV_CHECK(width > 0 && width <= full_width, "live: width ", width, " of '", parameter.name, "' is not in 1 to ", full_width);
  Tensor view = parameter.value;
  for (int dim = 0; dim < static_cast<int>(parameter.elastic.size()); ++dim) {
    if (!parameter.elastic[static_cast<size_t>(dim)]) continue;
    HV_CHECK(shape[dim] * width % full_width == 0, "live: width ", width, " of ", full_width,
             " is no whole number of entries in dimension ", dim, " of '", parameter.name, "' ", shape);
    view = part(view, dim, shape[dim] * width / full_width);
  }
  return view;
}

}  // namespace hv::nn
