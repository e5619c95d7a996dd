// Ctrl-C and SIGTERM: the first asks the loop to finish its step and save, the second ends the program at once.
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
