#include "train/start/resume.h"

#include <filesystem>

#include "data/classes.h"
#include "train/io/print.h"
#include "train/start/provenance.h"

namespace hv::train {

Resumed open_resumed(const std::string& run_or_file, const std::string& out) {
  Resumed resumed;
  const auto check = [&] {
    HV_CHECK_INPUT(resumed.checkpoint.header.counters.count("step") == 1, resumed.checkpoint.path,
                   ": holds weights alone, no run to go on with; start one from them with --init ", resumed.checkpoint.path);
  };
  const auto lock = [&](const std::string& folder) {
    resumed.folder = folder;
    check_run_files(resumed.folder);
    resumed.lock = std::make_unique<FolderLock>(resumed.folder, say);
  };
  if (is_folder(run_or_file)) {
    HV_CHECK_USAGE(out.empty(), "--out: a run that is resumed stays in its folder, ", run_or_file,
                   "; to go on elsewhere, name a checkpoint of it with --resume");
    const OpenFolder folder(run_or_file);
    // Locked before reading, so that what is read is the newest; only where there is a run, so that no trace is left elsewhere.
    if (is_checkpoint(folder / kept_name(0)) || is_checkpoint(folder / kept_name(1))) lock(run_or_file);
    resumed.checkpoint = load_run(resumed.folder ? resumed.folder : folder, say);
    check();
    return resumed;
  }
  resumed.checkpoint.header = read_header(run_or_file);
  resumed.checkpoint.path = run_or_file;
  check();
  const std::string name = std::filesystem::path(run_or_file).filename().string();
  if (out.empty()) {
    HV_CHECK_USAGE(is_state_name(name), "--resume: ", run_or_file,
                   " is not among the states of a run (last.ckpt, prev.ckpt, "
                   "best.ckpt), so its run may be another one; name a folder to go on in with --out");
    lock(parent_of(run_or_file));
  }
  resumed.checkpoint = load_checkpoint(resumed.folder ? resumed.folder / name : Place(run_or_file));
  check();
  return resumed;
}

TrainOptions resumed_options(const Checkpoint& checkpoint, TrainOptions now, const std::set<std::string>& given) {
  TrainOptions options;
  const Fields stored = train_fields(options), fresh = train_fields(now);
  for (const auto& [name, text] : checkpoint.header.options) {
    const Field* field = find_field(stored, name);
    HV_CHECK_INPUT(field, checkpoint.path, ": unknown option ", name, " in its header");
    try {
      if (!text.empty()) field->set(text);
    } catch (const Error& error) {
      fail(Fault::input, checkpoint.path, ": damaged header: ", error.what());
    }
  }
  options.model = checkpoint.header.model;
  options.threads = 0;  // a choice for this machine, not for the run
  options.stop_after = 0;
  for (const std::string& name : given) {
    if (name == "resume" || name == "report" || name == "out" || name == "memory") continue;
    const Field* field = find_field(fresh, name);
    HV_CHECK_USAGE(may_change_on_resume(name) || find_field(stored, name)->get() == field->get(), "--", name,
                   ": a run that is resumed keeps its ", name, ", ", find_field(stored, name)->get(),
                   "; start a new one to change it");
    if (name == "epochs") options.steps = 0;
    if (name == "steps") options.epochs = 0;
    find_field(stored, name)->set(field->get());
  }
  return options;
}

bool check_same_run(const Checkpoint& checkpoint, const std::map<std::string, std::string>& now, const data::Dataset& train,
                    const std::string& source) {
  const auto& stored = checkpoint.header.provenance;
  const auto of = [](const std::map<std::string, std::string>& entries, const char* name) {
    const auto found = entries.find(name);
    return found == entries.end() ? std::string("none") : found->second;
  };
  HV_CHECK_INPUT(of(stored, "data_checksum") == of(now, "data_checksum"), source, ": these are not the training images of ",
                 checkpoint.path, " (checksum ", of(now, "data_checksum"), ", expected ", of(stored, "data_checksum"),
                 "); name their folder with --data");
  const std::vector<std::string>&before = checkpoint.header.class_names, &names = train.class_names();
  const data::ClassMatch match = data::match_classes(before, names);
  if (match == data::ClassMatch::other || match == data::ClassMatch::reordered) {
    say(concat("NOTICE: classes have other names than in ", checkpoint.path,
               match == data::ClassMatch::other ? ": it has " + data::names_missing(before, names) : ", or another order",
               "; the images are the same, from here on the new names count"));
  }
  const std::string other = differing_arithmetic(stored, now);
  if (!other.empty()) {
    say(concat("NOTICE: ", checkpoint.path, " was saved with ", other,
               ": from here on the last bits differ from those of a run that goes on there"));
  }
  const bool same = of(stored, "test_checksum") == of(now, "test_checksum");
  if (!same) {
    say(concat("NOTICE: ", source, ": these are not the test images of ", checkpoint.path,
               ": what was the best state is forgotten, the next evaluation decides anew"));
  }
  return same;
}

}  // namespace hv::train
