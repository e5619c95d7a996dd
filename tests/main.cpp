// The test program: doctest's own main, after the start-up every program makes.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

#include "core/kernels/gemm.h"

int main(int argc, char** argv) {
  setenv("HYDRAVIT_GUARD", "1",
         1);  // core/storage.cpp: reading or writing beside a tensor shows; programs that tests start inherit it
  hv::init_compute(2);
  return doctest::Context(argc, argv).run();
}
