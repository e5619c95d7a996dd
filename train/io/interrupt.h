// Ctrl-C (SIGINT), SIGTERM and a terminal that closes (SIGHUP). The first signal asks the loop to finish its step and to save.
// A second Ctrl-C or SIGTERM ends the program at once. A signal that was ignored when the program started (nohup) stays
// ignored. Thread rule: one thread makes scopes; any thread may ask.
#pragma once

namespace hv::train {

class InterruptScope {  // handles signals while it lives; a scope inside another one has no effect
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

int interrupted();  // the number of the signal that came; 0 if none came

}  // namespace hv::train
