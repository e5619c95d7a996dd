// Ctrl-C, SIGTERM and a terminal that closes (SIGHUP): the first asks the loop to finish its step and save; Ctrl-C or SIGTERM
// once more ends the program at once. A signal that the program was started to ignore, as nohup does, stays ignored.
#pragma once

namespace hv::train {

class InterruptScope {  // listens while one is alive; an inner one changes nothing
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

int interrupted();  // the signal that came, 0: none

}  // namespace hv::train
