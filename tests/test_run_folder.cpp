// A run folder is a stranger's until proven ours: links, pipes and other files in it; folders that are renamed; errors in the
// middle of a run; data and machines that change between two sessions.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/crash_fixtures.h"
#include "tests/data_fixtures.h"
#include "tests/process.h"
#include "train/runs/run_data.h"
#include "train/start/provenance.h"
#include "train/start/resume.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;
using fixtures::Caught;
using fixtures::error_of;
using fixtures::write_text;
using test::slurp;

namespace {

int mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return static_cast<int>(info.st_mode & 0777);
}

void no_warning(const std::string& text) { FAIL(text); }

TrainOptions few_steps(int64_t steps) {
  TrainOptions o = tiny_options();
  o.steps = steps;
  o.save_every = 2;
  return o;
}

struct Failing : HydraViTRecipe {  // as a picture that vanishes
  Failing(models::ElasticModel& model, int64_t step)
      : HydraViTRecipe(model, model.subnets(), WidthSampler(5, 3), 0.1), step_(step) {}
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override {
    HydraViTRecipe::passes(batch, step, learn);
    HV_CHECK_INPUT(step != step_, "a.png: cannot open");
  }
  int64_t step_;
};

}  // namespace

TEST_CASE("run folder: a lock that is a link or someone's file is refused, and nothing is written through it") {
  const Folder folder, outside;
  const std::string thesis = outside / "thesis", lock = folder / "run.lock";
  write_text(thesis, "chapter 1");
  const auto refused = [&](const std::string& what) {
    CAPTURE(what);
    const Caught error = error_of([&] { FolderLock(folder.path(), no_warning); });
    CHECK(error.code == 3);
    CHECK(error.has(lock + ": is not the lock of a run, but " + what));
    fs::remove_all(lock);
  };
  fs::create_symlink(thesis, lock);
  refused("a link");
  fs::create_hard_link(thesis, lock);
  refused("someone's file");
  fs::copy_file(thesis, lock);
  refused("someone's file");
  fs::create_directory(lock);
  refused("a folder");
  REQUIRE(mkfifo(lock.c_str(), 0600) == 0);
  refused("a pipe, a device or a socket");
  CHECK(slurp(thesis) == "chapter 1");

  write_text(lock, "999999\n");  // of an earlier process, by a version that let everyone read it
  REQUIRE(chmod(lock.c_str(), 0644) == 0);
  FolderLock held(folder.path(), no_warning);
  CHECK(mode_of(lock) == 0600);  // who can open it can lock it
  CHECK(slurp(lock) == concat(getpid(), "\n"));
  const auto second = [&] { FolderLock(folder.path(), no_warning); };
  CHECK(error_of(second).code == 2);
  fs::remove(lock);  // by somebody who takes it for a leftover
  held.hold();
  CHECK(error_of(second).code == 2);
  fs::remove(lock);
  const FolderLock faster(folder.path(), no_warning);
  CHECK(error_of([&] { held.hold(); }).has("another training is going on in this folder"));
}

TEST_CASE("run folder: a folder that holds anything else is never given to a new run") {
  const Folder folder;
  const std::string used = folder / "used", fresh = folder / "fresh";
  fs::create_directory(used);
  fs::create_directory(fresh);
  CHECK(make_run_folder(fresh, "nano").path() == fresh);
  write_text(fresh + "/run.lock", "7\n");  // a run that was killed at once
  write_text(fresh + "/last.ckpt.hydravit.tmp.0123456789abcdef", "half");
  CHECK(make_run_folder(fresh, "nano").path() == fresh);
  CHECK(names_in(fresh) == std::set<std::string>{"run.lock"});
  for (const char* name : {"thesis.tmp.docx", "config.json", "best.ckpt", "report", ".git"}) {
    CAPTURE(name);
    write_text(used + "/" + name, "mine");
    const Caught error = error_of([&] { make_run_folder(used, "nano"); });
    CHECK(error.code == 2);
    CHECK(error.text ==
          concat(used, ": holds something else than a run (", name, "); choose a new or an empty folder with --out"));
    CHECK(slurp(used + "/" + name) == "mine");
    CHECK(names_in(used).size() == 1);
    fs::remove(used + "/" + name);
  }
}

TEST_CASE("run folder: what is saved stays in the folder that was opened, and the run ends if another one has its name") {
  const Threads threads;
  const Folder folder;
  const std::string mine = folder / "mine", moved = folder / "moved";
  for (const bool removed : {false, true}) {
    fs::create_directory(mine);
    Run run(few_steps(12), mine, true, [&](int64_t step, double) {
      if (step != 3) return;
      if (removed) {
        fs::remove_all(mine);
      } else {
        fs::rename(mine, moved);
      }
      fs::create_directory(mine);  // another run begins there
      write_text(mine + "/last.ckpt", "another run's");
    });
    const Caught error = error_of([&] { run.trainer.run(); });
    CHECK(error.code == 1);
    CHECK(run.trainer.step() == 4);
    CHECK(names_in(mine) == std::set<std::string>{"last.ckpt"});
    CHECK(slurp(mine + "/last.ckpt") == "another run's");
    if (removed) {
      CHECK(error.text == mine + ": the folder of this run was removed, so nothing of it can be saved");
    } else {
      CHECK(error.text == concat(mine, ": is not the folder of this run any more: that is ", moved,
                                 "; step 4 is saved there, go on with: hydravit train --resume ", moved));
      CHECK(newest_step(moved) == 4);
      CHECK(litter(moved) == "");
    }
    fs::remove_all(mine);
  }
}

TEST_CASE("run folder: no name in it is followed out of it; what is no file is refused at once") {
  const Threads threads;
  const Folder folder, outside;
  {
    Run run(few_steps(2), folder.path(), true);
    run.trainer.run();
  }
  const auto resume = [&] { open_resumed(folder.path(), ""); };
  CHECK(error_of(resume).code == 0);
  write_text(outside / "mine", "mine");
  for (const char* name :
       {"last.ckpt", "prev.ckpt", "best.ckpt", "events.jsonl", "summary.csv", "predictions.csv", "config.json"}) {
    const std::string path = folder / name, kept = outside / "kept";
    if (fs::exists(path)) fs::rename(path, kept);
    for (const std::string what : {"a link", "a folder", "a pipe, a device or a socket"}) {
      CAPTURE(name);
      CAPTURE(what);
      if (what == "a link") fs::create_symlink(outside / "mine", path);
      if (what == "a folder") fs::create_directory(path);
      if (what[2] == 'p') REQUIRE(mkfifo(path.c_str(), 0600) == 0);
      const Caught error = error_of(resume);
      CHECK(error.code == 3);
      CHECK(error.text == path + ": is " + what + ", expected a file; move it away");
      CHECK(error_of([&] { read_file(OpenFolder(folder.path()) / name, 100); }).code == 3);
      CHECK(error_of([&] { AppendFile(OpenFolder(folder.path()) / name); }).code > 0);
      fs::remove(path);
    }
    if (fs::exists(kept)) fs::rename(kept, path);
  }
  CHECK(slurp(outside / "mine") == "mine");
  CHECK(error_of(resume).code == 0);
}

TEST_CASE(
    "run folder: --resume takes over no folder by a file that may be another run's, and leaves nothing where there is none") {
  const Threads threads;
  const Folder folder;
  const std::string mine = folder / "mine", other = folder / "other", photo = folder / "photo.jpg";
  for (const std::string& path : {mine, other}) {
    fs::create_directory(path);
    Run run(few_steps(path == mine ? 2 : 3), path, true);
    run.trainer.run();
  }
  fs::copy_file(mine + "/last.ckpt", other + "/copy.ckpt");
  const std::set<std::string> before = names_in(folder.path());
  const Caught error = error_of([&] { open_resumed(other + "/copy.ckpt", ""); });
  CHECK(error.code == 2);
  CHECK(error.has("--resume: " + other + "/copy.ckpt is not among the states of a run"));
  CHECK(error.has("name a folder to go on in with --out"));
  write_text(photo, std::string(5000, 'x'));
  CHECK(error_of([&] { open_resumed(photo, ""); }).code == 3);
  fs::create_directory(folder / "photos");
  fs::rename(photo, folder / "photos/last.ckpt");
  CHECK(error_of([&] { open_resumed(folder / "photos", ""); }).code == 3);
  CHECK(error_of([&] { open_resumed(folder / "photos/last.ckpt", ""); }).code == 3);
  CHECK(error_of([&] { open_resumed(mine, folder / "new"); }).code == 2);
  fs::remove_all(folder / "photos");
  CHECK(names_in(folder.path()) == before);

  const Resumed elsewhere = open_resumed(other + "/copy.ckpt", folder / "new");
  CHECK(step_of(elsewhere.checkpoint) == 2);
  CHECK_FALSE(elsewhere.folder);
  CHECK(names_in(folder.path()) == before);
  const Resumed here = open_resumed(other + "/prev.ckpt", "");
  CHECK(here.folder.path() == other);
  CHECK(fs::exists(other + "/run.lock"));
}

TEST_CASE("trainer: what can fail at a save fails before the first step") {
  const Threads threads;
  const Folder folder;
  for (const bool control : {false, true}) {
    int64_t steps = 0;
    Run run(few_steps(4));
    std::map<std::string, std::string> provenance = {{"path", "a\nb"}};
    for (int i = 0; !control && i < 300; ++i) provenance[std::to_string(i)] = std::string(4000, 'x');
    RunSetup setup{*run.model,    run.model->subnets(), images(data::Split::train),       nullptr, few_steps(4),
                   folder.path(), provenance,           [&](int64_t, double) { ++steps; }};
    LoggedTrainer trainer(setup, make_recipe(setup.options, *run.model, setup.subnets));
    const Caught error = error_of([&] { trainer.run(); });
    CHECK(error.code == 1);
    CHECK(error.has("this run could not be saved"));
    CHECK(steps == 0);
    CHECK(names_in(folder.path()).empty());
  }
  Run run(few_steps(4), folder.path(), false, [&](int64_t step, double) {
    if (step == 1) CHECK(newest_step(folder.path()) == 0);
  });
  run.trainer.run();
}

TEST_CASE(
    "trainer: an error in a step saves the state before it, and stays the error; resumed, the run ends in the same bits") {
  const Threads threads;
  const Folder folder;
  Run whole(few_steps(8));
  whole.trainer.run();
  Run broken(few_steps(8), folder.path(), false, {}, tiny_model(),
             [](models::ElasticModel& model) { return std::make_unique<Failing>(model, 5); });
  const Caught error = error_of([&] { broken.trainer.run(); });
  CHECK(error.code == 3);
  CHECK(error.text == "a.png: cannot open");
  CHECK(newest_step(folder.path()) == 5);  // saves are due at 2, 4, 6
  Run again(few_steps(8), folder.path());
  again.trainer.restore(load_run(folder.path(), no_warning));
  again.trainer.run();
  CHECK(again.state() == whole.state());
}

TEST_CASE("resume: what has changed since is refused or told") {
  const std::map<std::string, std::string> stored = {{"simd", "v4"},         {"blas", "B 1"},        {"threads", "8"},
                                                     {"compiler", "g++ 12"}, {"data_checksum", "7"}, {"test_checksum", "8"}};
  std::map<std::string, std::string> now = stored;
  now["threads"] = "1";
  now["bf16_unit"] = "AMX";  // the file does not tell it
  CHECK(differing_arithmetic(stored, now) == "");
  now["simd"] = "v2";
  now["compiler"] = "clang 14";
  CHECK(differing_arithmetic(stored, now) == "SIMD v4 (now v2), g++ 12 (now clang 14)");

  Checkpoint checkpoint;
  checkpoint.path = "last.ckpt";
  checkpoint.header.provenance = stored;
  const data::Dataset& train = images(data::Split::train);
  checkpoint.header.class_names = train.class_names();
  CHECK(check_same_run(checkpoint, stored, train, "data"));
  now["test_checksum"] = "9";
  CHECK_FALSE(check_same_run(checkpoint, now, train, "data"));
  now["data_checksum"] = "9";
  CHECK(error_of([&] { check_same_run(checkpoint, now, train, "data"); }).has("not the training images of last.ckpt"));
  std::swap(checkpoint.header.class_names[3], checkpoint.header.class_names[5]);
  CHECK(check_same_run(checkpoint, stored, train, "data"));  // only told: the images and their labels are the same

  const Threads threads;
  const Folder folder;
  Run first(few_steps(2), folder.path(), true);
  first.trainer.run();
  const double best = read_header(folder / "best.ckpt").metrics.at("best_top1");
  Run second(few_steps(4), folder.path(), true);
  second.trainer.restore(load_run(folder.path(), no_warning));
  CHECK(second.trainer.header().metrics.at("best_top1") == best);
  CHECK(second.trainer.header().metrics.count("top1.heads=2") == 1);
  second.trainer.forget_best();
  CHECK(second.trainer.header().metrics.at("best_top1") == -1);
  CHECK(second.trainer.header().metrics.count("top1.heads=2") == 0);
}

TEST_CASE("summary: a file with CRLF keeps its rows on resume, and a report reads it") {
  const Threads threads;
  const Folder folder;
  Run first(few_steps(2), folder.path(), true);
  first.trainer.run();
  const std::string path = folder / "summary.csv";
  const std::vector<std::string> before = lines(path);
  std::string text;
  for (const std::string& line : before) text += line + "\r\n";
  write_text(path, text);
  CHECK(read_table(path).rows() == before.size() - 1);
  Run second(few_steps(4), folder.path(), true);
  second.trainer.restore(load_run(folder.path(), no_warning));
  second.trainer.run();
  const std::vector<std::string> after = lines(path);
  REQUIRE(after.size() > before.size());
  CHECK(std::equal(before.begin(), before.end(), after.begin()));
}
