// build/hydravit: see `hydravit --help` and README, "The command line".
#include <signal.h>

#include "train/commands/commands.h"

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // a closed stdout must not end a training
  signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error of write()
  using namespace hv::train;
  return run_program({train_command(), lr_find_command(), eval_command(), predict_command(), bench_command(), info_command(), export_command(),
                      import_command(), report_command(), data_command()},
                     argc, argv);
}
