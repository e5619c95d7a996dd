// The program, or any other, in a process of its own. HYDRAVIT_BINARY names the program.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace hv::test {

inline std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline const char* binary() { return std::getenv("HYDRAVIT_BINARY"); }
inline std::string program() { return std::filesystem::absolute(binary()).string(); }
// Can a library be preloaded? Not with AddressSanitizer, which must be the first library itself.
#ifdef HV_ASAN
inline constexpr bool kPreloads = false;
#else
inline constexpr bool kPreloads = true;
#endif
// tests/faults.cpp, to be preloaded (LD_PRELOAD); HYDRAVIT_FAULT says what it does.
inline std::string faults_library() { return (std::filesystem::absolute(binary()).parent_path() / "tests/faults.so").string(); }

class Process {
 public:
  // Both outputs go to the file `output`. `environment` overrides the environment of this process.
  // Threads sleep while they wait; on a busy machine, threads that spin would take most of the time.
  // A terminal's name: the process has it as its terminal, and for its outputs.
  Process(const std::vector<std::string>& arguments, const std::string& output,
          const std::vector<std::string>& environment = {}, const std::string& terminal = "") {
    std::vector<const char*> argv, envp;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    for (const std::string& entry : environment) envp.push_back(entry.c_str());
    envp.push_back("OMP_WAIT_POLICY=passive");
    for (char** entry = environ; *entry; ++entry) envp.push_back(*entry);
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    pid_ = fork();
    if (pid_ == 0) {
      // Resets the signals that a child inherits, so that it does not matter how the tests were started: nohup ignores SIGHUP,
      // a script ignores SIGINT for what it runs in the background.
      for (const int ending : {SIGHUP, SIGINT, SIGTERM}) ::signal(ending, SIG_DFL);
      if (!terminal.empty()) setsid();  // the first terminal that it opens becomes its own
      const int out = terminal.empty() ? file : open(terminal.c_str(), O_RDWR | O_CLOEXEC);
      dup2(out, STDOUT_FILENO);
      dup2(out, STDERR_FILENO);
      execve(argv[0], const_cast<char**>(argv.data()), const_cast<char**>(envp.data()));
      _exit(127);
    }
    close(file);
  }
  ~Process() {
    if (pid_ > 0) kill_now();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  pid_t pid() const { return pid_; }
  bool ended() const {  // wait() will return at once
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  }
  int wait() {  // the exit code, or -9 after kill -9
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  int kill_now() {
    kill(pid_, SIGKILL);
    return wait();
  }

 private:
  pid_t pid_ = 0;
};

}  // namespace hv::test
