// The program hydravit: see `hydravit --help` and README, "The command line".
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "core/kernels/blas.h"
#include "train/commands/commands.h"

// A file that a program opens takes the lowest free number. A program that is started without standard streams would write its
// messages into a checkpoint. So /dev/null takes the missing numbers, opened such that using a stream is an error.
static void hold_standard_streams() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(file, F_GETFD) < 0) open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int main(int argc, char** argv) {
  hv::restart_without_blas_threads(argv);
  hold_standard_streams();
  signal(SIGPIPE, SIG_IGN);  // a closed stdout must not end a training; write() fails instead
  signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error of write()
  using namespace hv::train;
  return Program({train_command(), lr_find_command(), eval_command(), predict_command(), bench_command(), info_command(),
                  export_command(), import_command(), report_command(), slim_command(), data_command()})
      .run(argc, argv);
}
