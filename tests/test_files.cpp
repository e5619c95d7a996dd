// Files that commands and logs write and read: two writers of one file, modes, what an output may replace, reading in time.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <time.h>

#include "data/files.h"
#include "tests/crash_fixtures.h"
#include "tests/data_fixtures.h"
#include "tests/process.h"
#include "train/commands/commands.h"
#include "train/exchange/timm_safetensors.h"
#include "train/runs/run_data.h"
#include "train/start/output.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;
using fixtures::error_of;
using fixtures::write_text;
using test::slurp;

namespace {

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

int mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return static_cast<int>(info.st_mode & 0777);
}

}  // namespace

TEST_CASE("files: two writers of one file do not disturb each other, and a new file keeps the mode of the old one") {
  const Folder folder;
  const std::string path = folder / "x";
  {
    AtomicFile first(path), loser(path);
    first.write("first", 5);
    loser.write("lo", 2);
    first.commit();
  }
  CHECK(slurp(path) == "first");
  CHECK(names_in(folder.path()) == std::set<std::string>{"x"});
  write_text(path + ".tmp", "someone's");  // no name that data::write_file uses
  write_text(path + ".hydravit.tmp.0123456789abcdef", "of a killed export");
  data::write_file(path, std::vector<uint8_t>{'o', 'k'});
  CHECK(slurp(path) == "ok");
  CHECK(slurp(path + ".tmp") == "someone's");
  write_file(path, "again");
  CHECK(names_in(folder.path()) == std::set<std::string>{"x", "x.tmp"});

  const mode_t before = umask(027);
  write_file(folder / "new", "");
  CHECK(mode_of(folder / "new") == 0640);
  const OpenFolder held(folder.path());
  const std::vector<NamedTensor> tensors = {{"w", Tensor::full({3}, 2)}};
  save_run(held, {}, tensors, 2);
  CHECK(mode_of(folder / "last.ckpt") == 0640);
  for (const int mode : {0600, 0644, 0400}) {
    REQUIRE(chmod((folder / "last.ckpt").c_str(), static_cast<mode_t>(mode)) == 0);
    save_run(held, {}, tensors, 2);
    CHECK(mode_of(folder / "last.ckpt") == mode);
    CHECK(mode_of(folder / "prev.ckpt") == mode);
  }
  umask(before);
}

TEST_CASE("events: reading takes time in proportion to the file, whatever its lines are") {
  const Folder folder;
  const std::string path = folder / "events.jsonl", line = "{\"event\":\"log\",\"step\":1}\n";
  const auto zeros = [](size_t n) {
    std::string text = "{\"event\":\"log\",\"step\":2,\"a\":[0";
    for (size_t i = 0; i < n; ++i) text += ",0";
    return text + "]}\n";
  };
  const double begin = cpu_seconds();
  write_text(path, line + zeros(320000) + zeros(60000) + line + "no event\n");
  const std::string error = error_of([&] { read_events(path); }).text;
  CHECK(error == path + ": line 5: not a JSON object");
  write_text(path, line + zeros(320000) + zeros(60000) + line);
  const RunEvents events = read_events(path);
  CHECK(events.logs.size() == 3);
  CHECK(events.skipped == 1);
  CHECK(cpu_seconds() - begin < 2);  // some 0.1; it was minutes
}

TEST_CASE("output: no file of another kind and no input is replaced, unless forced") {
  const Folder folder;
  const std::string path = folder / "a", weights = folder / "w.ckpt", run = folder / "r.ckpt";
  const auto refused = [&](FileKind kind, const std::string& at, bool force = false,
                           const std::vector<std::string>& inputs = {}) {
    return error_of([&] { check_output({"--out", at, kind, force, inputs}); }).code;
  };
  Header header;
  save_checkpoint(weights, header, {});
  header.counters["step"] = 1;
  save_checkpoint(run, header, {});
  CHECK(refused(FileKind::checkpoint, weights) == 0);
  CHECK(refused(FileKind::checkpoint, run) == 2);  // weights alone must not take its place
  CHECK(refused(FileKind::checkpoint, run, true) == 0);
  CHECK(refused(FileKind::png, weights) == 2);
  CHECK(refused(FileKind::png, folder / "new") == 0);
  const std::pair<FileKind, std::string> begins[] = {
      {FileKind::png, "\x89PNG"},          {FileKind::svg, "<svg>"},
      {FileKind::html, "<!doctype html>"}, {FileKind::curve, "step,lr,loss,x"},
      {FileKind::predictions, "image,x"},  {FileKind::safetensors, std::string("\2\0\0\0\0\0\0\0{}", 10)}};
  for (const auto& [kind, text] : begins) {
    for (const auto& [other, begin] : begins) {
      write_text(path, begin);
      CHECK(refused(kind, path) == (kind == other ? 0 : 2));
      CHECK(slurp(path) == begin);
    }
    CHECK(refused(kind, path, true) == 0);
    CHECK(refused(kind, folder.path(), true) == 2);
  }
  write_text(path, "");
  CHECK(refused(FileKind::png, path) == 0);
  CHECK(refused(FileKind::png, path, false, {path}) == 2);
}

TEST_CASE("events: many widths in every line are found among many that the start lists, in time") {
  const Folder folder;
  const std::string path = folder / "events.jsonl";
  const auto many = [](const char* more) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += concat(i == 0 ? "" : ",", "{\"heads\":", i, more, "}");
    return text;
  };
  std::string text = concat("{\"event\":\"start\",\"step\":0,\"widths\":[", many(",\"dim\":7,\"label\":\"x\""), "]}\n");
  for (int i = 0; i < 30; ++i)
    text += concat("{\"event\":\"log\",\"step\":1,\"widths\":[", many(",\"drawn\":1,\"loss\":2"), "]}\n");
  write_text(path, text);
  [[maybe_unused]] const double begin = cpu_seconds();
  CHECK(read_events(path).logs.back().drawn.at("x") == 1000);
#ifndef HV_ASAN  // which is many times slower
  CHECK(cpu_seconds() - begin < 2);
#endif
}

TEST_CASE("output: import does not make weights alone of a run's state, and export keeps its own input") {
  const Folder folder;
  const std::string last = folder / "last.ckpt", exported = folder / "last.safetensors";
  const models::HydraViT model(models::from_config(tiny_model()), 1);
  Header header;
  header.model = model.config();
  header.counters["step"] = 7;
  header.class_names = data::shapes10_classes();
  header.mean = header.std = {0.5, 0.5, 0.5};
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : model.parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
  save_checkpoint(last, header, tensors);
  const auto run = [&](const Command& command, std::vector<std::string> words) {
    words.insert(words.begin(), {"hydravit", command.name});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return Program({command}).run(static_cast<int>(argv.size()), argv.data());
  };
  const std::string state = slurp(last);
  CHECK(run(export_command(), {last, "--out", last}) == 2);
  CHECK(run(export_command(), {last, "--out", exported}) == 0);
  CHECK(run(import_command(), {exported, "--out", last}) == 2);
  CHECK(run(import_command(), {exported, "--out", exported}) == 2);
  CHECK(slurp(last) == state);
  CHECK(run(import_command(), {exported, "--out", last, "--force"}) == 0);
  CHECK(read_header(last).counters.empty());
}
