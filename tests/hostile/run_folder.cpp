#include "tests/hostile/run_folder.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

#include "tests/predict_fixtures.h"
#include "tests/training.h"
#include "train/commands/commands.h"

namespace hv::hostile {
namespace {

using namespace hv::train;
using namespace hv::crash_fixtures;

struct Outcome {
  int code;
  double seconds;  // of processor time, so that a busy machine does not matter
  std::string text;
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// `hydravit <words>` in this process; its outputs go to a file. If it hangs, the alarm ends all.
Outcome command(std::vector<std::string> words, const std::string& output) {
  words.insert(words.begin(), "hydravit");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  std::fflush(stdout);
  const int file = open(output.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600), out = dup(1), err = dup(2);
  dup2(file, 1);
  dup2(file, 2);
  alarm(120);
  const double begin = cpu_seconds();
  const int code =
      Program({train_command(), eval_command(), predict_command(), export_command(), report_command(), info_command()})
          .run(static_cast<int>(argv.size()), argv.data());
  const double seconds = cpu_seconds() - begin;
  alarm(0);
  std::fflush(stdout);
  dup2(out, 1);
  dup2(err, 2);
  for (const int each : {file, out, err}) close(each);
  return {code, seconds, test::slurp(output)};
}

const std::vector<std::string> kKinds = {"link",   "dangling link", "link to a folder", "pipe",
                                         "device", "socket",        "folder",           "file"};

// False if this user or system cannot make such a thing.
bool plant(const std::string& kind, const std::string& path, const std::string& outside) {
  fs::remove_all(path);
  if (kind == "link") fs::create_symlink(outside + "/mine", path);
  if (kind == "dangling link") fs::create_symlink(outside + "/new", path);
  if (kind == "link to a folder") fs::create_directory_symlink(outside, path);
  if (kind == "folder") fs::create_directory(path);
  if (kind == "file") std::ofstream(path) << "a text of someone else\n";
  if (kind == "pipe") return mkfifo(path.c_str(), 0600) == 0;
  if (kind == "device") return mknod(path.c_str(), S_IFCHR | 0600, 0x105) == 0;  // /dev/zero
  if (kind == "socket") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return false;
    path.copy(address.sun_path, path.size());
    const int file = socket(AF_UNIX, SOCK_STREAM, 0);
    const bool made = file >= 0 && bind(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(file);
    return made;
  }
  return true;
}

}  // namespace

bool run_folders(long share) {
  const Threads threads;
  const fixtures::Folder folder;
  const std::string outside = folder / "outside", picture = folder / "a.png", output = folder / "output";
  fs::create_directory(outside);
  std::ofstream(outside + "/mine") << "mine";
  fixtures::write_shape(picture, 0);
  const Training training(often_saved(4), tiny_model());
  const std::string run = training.run();
  bool failed = command({"train", "--resume", run, "--threads", "1"}, output).code != 0;
  fs::rename(run, folder / "good");
  long cases = 0, refused = 0;
  double slowest = 0;
  size_t combination = 0;
  for (const char* name : {"run.lock", "last.ckpt", "prev.ckpt", "best.ckpt", "events.jsonl", "summary.csv", "predictions.csv",
                           "config.json", "report.html", "report"}) {
    for (const std::string& kind : kKinds) {
      ++combination;
      const std::vector<std::vector<std::string>> commands = {
          {"info", run},
          {"eval", run, "--limit", "4"},
          {"export", run, "--heads", "2", "--out", folder / "x.safetensors"},
          {"predict", run, picture},
          {"report", run},
          {"train", "--preset", "mlp", "--steps", "1", "--out", run},
          {"train", "--resume", run, "--report", "off"}};
      for (size_t i = 0; i < commands.size(); ++i) {
        // The short form tries the last command with all, and each other one with some.
        if (share > 1 && i != commands.size() - 1 && combination % 7 != i) continue;
        fs::remove_all(run);
        fs::copy(folder / "good", run, fs::copy_options::recursive);
        ++cases;
        if (!plant(kind, join_path(run, name), outside)) continue;
        const Outcome outcome = command(commands[i], output);
        const std::string what = concat("hydravit ", commands[i][0],
                                        i == 5   ? " --out"
                                        : i == 6 ? " --resume"
                                                 : "",
                                        ", ", kind, " as ", name);
        slowest = std::max(slowest, outcome.seconds);
        refused += outcome.code != 0;
        const bool is_report = std::string(name).starts_with("report");
        // A foreign file is damage: the state before is used, a log is begun anew.
        const bool must_refuse = i == 5 || (i == 6 && kind != "file" && std::string(name) != "report") ||
                                 (i == 6 && std::string(name) == "run.lock");
        const bool may_fail = outcome.code == 1 && i == 4 && is_report;
        const bool good = (outcome.code == 2 || outcome.code == 3 || may_fail || (outcome.code == 0 && !must_refuse)) &&
                          (outcome.code == 0 || outcome.text.find("hydravit: ") != std::string::npos) && outcome.seconds < 1;
        const bool untouched = test::slurp(outside + "/mine") == "mine" && names_in(outside).size() == 1;
        if (!good || !untouched) {
          failed = true;
          std::printf("FAILED %s: code %d, %.2f s%s: %s\n", what.c_str(), outcome.code, outcome.seconds,
                      untouched ? "" : ", something outside has changed", outcome.text.c_str());
        }
      }
    }
  }
  std::printf("%-12s %-28s %6ld cases, %ld refused; slowest: %.3f s of processor time\n", "run folder",
              "things in a file's place", cases, refused, slowest);
  return !failed;
}

}  // namespace hv::hostile
