// The test program: doctest's own main, after the start-up every program makes.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "core/kernels/gemm.h"

int main(int argc, char** argv) {
  hv::init_compute(2);
  return doctest::Context(argc, argv).run();
}
