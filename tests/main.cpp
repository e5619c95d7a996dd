// The test program: doctest's own main. Like any user's program it initialises nothing; two threads are enough.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

#include "core/parallel.h"

int main(int argc, char** argv) {
  setenv("HYDRAVIT_GUARD", "1",
         1);  // core/storage.cpp: reading or writing beside a tensor shows; programs that tests start inherit it
  hv::set_num_threads(2);
  return doctest::Context(argc, argv).run();
}
