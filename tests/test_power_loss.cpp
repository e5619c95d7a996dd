// Power is lost at any moment while a run folder is made and saved into. The calls of real saves are recorded. From them the
// test makes every state in which the power loss may leave the disk; in each, the last state that was reported as saved, or a
// newer one, must load.
//
// Between two flushes (fsync) a disk may keep any combination of the changes of a folder (entries made, renamed, removed), and
// any of the pages that were written to a file; a page that is missing reads as zeros if the file already has its length.
#include <doctest/doctest.h>

#include "tests/crash_fixtures.h"
#include "tests/faults.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;

namespace {

constexpr size_t kPage = 4096;
constexpr int kRemoved = -1, kFolder = -2;

struct Change {            // of a folder
  std::string path, from;  // from: of a rename
  int file = kRemoved;     // a number of Disk::contents_
};

struct State {  // what a disk holds
  std::set<std::string> folders;
  std::map<std::string, int> names;
};

std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

void apply(State& state, const Change& change) {
  if (change.file == kFolder) {
    state.folders.insert(change.path);
  } else if (change.file == kRemoved) {
    state.names.erase(change.path);
  } else {
    const auto from = state.names.find(change.from);
    if (from != state.names.end() && from->second == change.file) state.names.erase(from);
    state.names[change.path] = change.file;
  }
}

class Disk {
 public:
  explicit Disk(const std::string& folder) { flushed_.folders = {folder}; }

  void see(const faults::Call& call) {
    if (call.name == "mkdir") {
      change({call.path, "", kFolder});
    } else if (call.name == "open") {
      change({call.path, "", static_cast<int>(contents_.size())});
      contents_.emplace_back();
    } else if (call.name == "write") {
      std::vector<faults::Call>& writes = contents_[static_cast<size_t>(seen_.names.at(call.path))].writes;
      for (size_t at = 0; at < call.bytes.size(); at += kPage) {
        writes.push_back({"", "", "", call.bytes.substr(at, kPage), call.at + static_cast<int64_t>(at)});
      }
    } else if (call.name == "rename" || call.name == "link") {
      change({call.to, call.name == "rename" ? call.path : "", seen_.names.at(call.path)});
    } else if (call.name == "unlink") {
      change({call.path, "", kRemoved});
    } else if (call.name == "fsync" && seen_.names.count(call.path) == 1) {
      Content& content = contents_[static_cast<size_t>(seen_.names.at(call.path))];
      content.flushed = with_writes(content, [](size_t) { return true; });
      content.writes.clear();
    } else if (call.name == "fsync") {
      for (const Change& waiting : waiting_) {
        if (folder_of(waiting.path) == call.path) apply(flushed_, waiting);
      }
      std::erase_if(waiting_, [&](const Change& waiting) { return folder_of(waiting.path) == call.path; });
    }
  }

  // Calls body(files by path) for every combination of pending changes (random ones if there are many), each with `contents`
  // choices of the pages not flushed.
  template <class Body>
  void each_state(int contents, Stream& random, Body&& body) const {
    const bool many = waiting_.size() > 8;
    for (size_t chosen = 0; chosen < size_t{1} << (many ? 8 : waiting_.size()); ++chosen) {
      State state = flushed_;
      for (size_t i = 0; i < waiting_.size(); ++i) {
        if (many ? random.below(2) > 0 : chosen >> i & 1) apply(state, waiting_[i]);
      }
      for (int choice = 0; choice < contents; ++choice) {
        std::map<std::string, std::string> files;
        for (const auto& [path, file] : state.names) {
          if (state.folders.count(folder_of(path)) == 0) continue;
          files[path] = with_writes(contents_[static_cast<size_t>(file)], [&](size_t) {
            return choice == 0 ? false : choice == 1 ? true : random.below(4) > 0;
          });
        }
        body(files);
      }
    }
  }

 private:
  struct Content {
    std::string flushed;
    std::vector<faults::Call> writes;  // pages since
  };

  template <class Kept>
  static std::string with_writes(const Content& content, Kept&& kept) {
    std::string bytes = content.flushed;
    for (size_t i = 0; i < content.writes.size(); ++i) {
      const faults::Call& page = content.writes[i];
      if (!kept(i)) continue;
      const size_t end = static_cast<size_t>(page.at) + page.bytes.size();
      if (bytes.size() < end) bytes.resize(end);
      bytes.replace(static_cast<size_t>(page.at), page.bytes.size(), page.bytes);
    }
    return bytes;
  }

  void change(const Change& change) {
    apply(seen_, change);
    waiting_.push_back(change);
  }

  State seen_, flushed_;  // what a process sees; what survives a power loss for certain
  std::vector<Change> waiting_;
  std::vector<Content> contents_;
};

struct Outcome {
  int64_t states = 0, unreadable = 0, too_old = 0;
  int64_t lost() const { return unreadable + too_old; }
};

// All states after each of the calls, or those up to the first loss. `real` says whether a flush of the record really happens.
template <class Real>
Outcome replay(const std::string& base, const std::vector<faults::Call>& record, int contents, Real&& real) {
  Outcome outcome;
  Disk disk(base);
  Stream random(9, Purpose::test);
  std::set<size_t> done;       // hashes of states
  int64_t last = 0, best = 0;  // reported as saved
  for (const faults::Call& call : record) {
    if (outcome.lost() > 0) break;
    if (call.name == "saved") last = std::stoll(call.path);
    if (call.name == "best") best = std::stoll(call.path);
    if (call.name == "fsync" && !real(call.path)) continue;
    disk.see(call);
    disk.each_state(contents, random, [&](const std::map<std::string, std::string>& files) {
      size_t hash = static_cast<size_t>(last * 1000 + best);
      for (const auto& [path, bytes] : files) {
        hash = hash * 1000003 + std::hash<std::string>()(path);
        hash = hash * 1000003 + std::hash<std::string>()(bytes);
      }
      if (!done.insert(hash).second) return;
      ++outcome.states;
      const Folder after;
      for (const auto& [path, bytes] : files) std::ofstream(after / fs::path(path).filename(), std::ios::binary) << bytes;
      const auto look = [&](int64_t least, auto&& load) {
        try {
          outcome.too_old += step_of(load()) < least;
        } catch (const Error&) {
          outcome.unreadable += least > 0;
        }
      };
      look(last, [&] { return load_run(after.path(), [](const std::string&) {}); });
      look(best, [&] { return load_checkpoint(after / "best.ckpt"); });
    });
  }
  return outcome;
}

}  // namespace

TEST_CASE("power loss: whatever of the last changes the disk kept, what was saved before loads") {
  const Folder folder;
  std::vector<faults::Call> record;
  faults::arm({folder.path(), faults::Kind::none, 0, 0, 0});
  faults::record(&record);
  const std::string run = make_run_folder(folder / "runs/one", "nano").path();
  for (int64_t step = 1; step <= 9; ++step) {
    Header header;
    header.counters["step"] = step;
    const std::vector<NamedTensor> tensors = {{"w", Tensor::full({5000}, static_cast<double>(step))},
                                              {"b", Tensor::full({5}, 1)}};
    if (step % 2 == 1) {
      save_checkpoint(join_path(run, "best.ckpt"), header, tensors);
      record.push_back({"best", std::to_string(step), "", "", 0});
    }
    save_run(run, header, tensors, 4);
    record.push_back({"saved", std::to_string(step), "", "", 0});
  }
  faults::record(nullptr);
  faults::disarm();

  const int contents = long_form() ? 64 : 16;
  const Outcome legal = replay(folder.path(), record, contents, [](const std::string&) { return true; });
  CHECK(legal.states >= 2000);
  CHECK(legal.unreadable == 0);
  CHECK(legal.too_old == 0);
  MESSAGE(legal.states << " states of the disk");
  // This test can fail: it does without the flushes of files, of the run folder, or of the folders above.
  const auto is_file = [](const std::string& path) { return path.find(".ckpt") != std::string::npos; };
  CHECK(replay(folder.path(), record, 2, [&](const std::string& path) { return !is_file(path); }).lost() > 0);
  CHECK(replay(folder.path(), record, 2, [&](const std::string& path) { return is_file(path) || path != run; }).lost() > 0);
  CHECK(replay(folder.path(), record, 2, [&](const std::string& path) { return is_file(path) || path == run; }).lost() > 0);
}
