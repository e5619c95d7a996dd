// Every operation in every layout, against its naive twin: see tests/gradcheck.h.
#include <doctest/doctest.h>

#include "tests/ops/cases.h"

namespace hv::test {

TEST_CASE("every operation in every layout equals its twin, forward and backward") {
  int64_t count = 0;
  for (const OpRow& row : all_rows()) {
    for (const auto& shapes : row.shapes) {
      for (const Variant& variant : variants()) {
        const Outcome outcome = check_case(row, shapes, variant, true);
        count += outcome.ran;
        CHECK_MESSAGE(outcome.problem.empty(), row.name, " of ", shapes[0], ", ", variant.name, ": ", outcome.problem);
      }
    }
  }
  MESSAGE("gradient checks: ", count, " cases");
  CHECK(count >= 1500);
}

TEST_CASE("large shapes take the parallel paths and agree with the twin") {
  int64_t count = 0;
  for (const OpRow& row : all_rows()) {
    for (const auto& shapes : row.large) {
      for (const Variant& variant : variants()) {
        if (!variant.large) continue;
        const Outcome outcome = check_case(row, shapes, variant, false);
        count += outcome.ran;
        CHECK_MESSAGE(outcome.problem.empty(), row.name, " of ", shapes[0], ", ", variant.name, ": ", outcome.problem);
      }
    }
  }
  MESSAGE("slope checks on large shapes: ", count, " cases");
  CHECK(count >= 200);
}

}  // namespace hv::test
