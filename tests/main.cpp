// The test program: doctest's own main, after the start-up of every program.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

#include "core/kernels/gemm.h"

int main(int argc, char** argv) {
  // core/storage.cpp then finds reads and writes beside a tensor. Programs that tests start inherit it.
  setenv("HYDRAVIT_GUARD", "1", 1);
  hv::init_compute(2);
  return doctest::Context(argc, argv).run();
}
