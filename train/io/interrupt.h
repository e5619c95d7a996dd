// Handles Ctrl-C (SIGINT), SIGTERM and a closed terminal (SIGHUP). The first signal asks the loop to finish its step and save.
// A second Ctrl-C or SIGTERM, at least 0.3 s later, ends the program at once with code 128 + signal. A signal that was ignored
// when the program started (nohup does that) stays ignored.
// Thread rule: scopes begin and end on one thread; interrupted() may be called from any.
#pragma once

namespace hv::train {

class InterruptScope {  // the handlers are installed while a scope is alive; a nested scope changes nothing
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

int interrupted();  // the number of the signal that came; 0 if none came

}  // namespace hv::train
