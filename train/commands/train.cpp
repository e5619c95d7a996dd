// hydravit train: options -> data, model and folder -> Trainer -> table.
#include <cstdio>
#include <optional>

#include "train/commands/commands.h"
#include "train/io/file.h"
#include "train/io/interrupt.h"
#include "train/io/json.h"
#include "train/io/memory.h"
#include "train/io/print.h"
#include "train/log/run_log.h"
#include "train/log/summary.h"
#include "train/report/report.h"
#include "train/start/provenance.h"
#include "train/start/setup.h"
#include "train/state/run_folder.h"
#include "train/subnets.h"
#include "train/trainer.h"

namespace hv::train {
namespace {

struct TrainArguments {
  TrainOptions options;
  std::string resume;
  bool report = true;
};

// The stored options, replaced by those given now if that is allowed.
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
  options.threads = 0;  // a choice for this machine, not for the run
  options.stop_after = 0;
  for (const std::string& name : given) {
    if (name == "resume" || name == "report" || name == "memory") continue;
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

void check_same_data(const Checkpoint& checkpoint, const std::map<std::string, std::string>& now, const std::string& source) {
  const auto stored = checkpoint.header.provenance.find("data_checksum");
  HV_CHECK_INPUT(stored != checkpoint.header.provenance.end() && stored->second == now.at("data_checksum"), source,
                 ": these are not the training images of ", checkpoint.path, " (checksum ", now.at("data_checksum"),
                 ", expected ", stored == checkpoint.header.provenance.end() ? "none" : stored->second,
                 "); name their folder with --data");
}

// config.json of a run folder: every resolved option with its type, the model, provenance.
std::string config_json(const Header& header, TrainOptions options) {
  const Json json{{"options", typed(header.options, train_fields(options))},
                  {"model", typed(header.model)},
                  {"provenance", header.provenance},
                  {"seed", header.seed},
                  {"class_names", Json::list(header.class_names)},
                  {"mean", Json::list(header.mean)},
                  {"std", Json::list(header.std)}};
  return json.text(2) + "\n";
}

int run_train(TrainArguments arguments, const std::set<std::string>& given) {
  TrainOptions& o = arguments.options;
  Checkpoint checkpoint;
  const bool resume = !arguments.resume.empty();
  std::string folder = arguments.resume;
  std::optional<FolderLock> lock;
  if (resume) {
    // Locked before reading, so that what is read is the newest; only where there is a run, so that no trace is left elsewhere.
    const bool any =
        is_folder(folder) ? file_exists(kept_path(folder, 0)) || file_exists(kept_path(folder, 1)) : file_exists(folder);
    if (!is_folder(folder)) folder = parent_of(folder);
    if (any) lock.emplace(folder, say);
    checkpoint = load_run(arguments.resume, say);
    HV_CHECK_INPUT(checkpoint.header.counters.count("step") == 1, checkpoint.path,
                   ": holds weights alone, no run to go on with; start one from them with --init ", checkpoint.path);
    o = resumed_options(checkpoint, o, given);
  } else if (o.epochs == 0 && o.steps == 0 && o.minutes == 0) {
    o.epochs = 10;
  }
  check_options(o);
  check_subnets(o.preset, o.subnets);
  std::optional<InterruptScope> listening(
      std::in_place);  // from here on a signal ends the run with a checkpoint, if only of step 0
  Prepared p = prepare(o, resume ? &checkpoint : nullptr);
  RunSetup setup{*p.model, p.subnets, *p.train, p.test.get(), o};
  setup.provenance = provenance(p.source, *p.train, p.test.get());
  if (resume) check_same_data(checkpoint, setup.provenance, p.source.data);

  Trainer trainer(setup, make_recipe(o, *p.model, p.subnets));
  if (resume) trainer.restore(checkpoint);
  checkpoint.tensors.clear();
  check_header(trainer.header(), trainer.tensors());

  // Everything that could be refused was: now the folder.
  if (!resume) {
    folder = make_run_folder(o.out, o.preset);
    lock.emplace(folder, say);
    refuse_second_run(folder);  // once more: another may have begun and ended before we had the lock
  }
  remove_stale_files(folder);
  remove_stale_files(join_path(folder, "report"));
  if (is_folder(arguments.resume)) go_on_from(folder, checkpoint.path);
  trainer.write_to(folder);
  write_file(join_path(folder, "config.json"), config_json(trainer.header(), o));
  say(concat(resume ? "resuming at step " : "training ",
             resume ? std::to_string(trainer.step()) : p.model->config().at("model"), " in ", folder, ", ",
             p.model->parameter_count(), " parameters, ", p.subnets.size(), p.subnets.size() == 1 ? " width" : " widths",
             trainer.total_steps() > 0 ? concat(", ", trainer.total_steps(), " steps") : "",
             o.minutes > 0 ? concat(", at most ", o.minutes, " minutes") : ""));

  RunLog log(folder, o, p.test.get(), true);
  const Ending ending = trainer.run(log);
  const std::string last = join_path(folder, "last.ckpt");
  if (ending != Ending::finished) {
    say(concat(ending == Ending::interrupted ? "interrupted" : "stopped", " after step ", trainer.step(), "; saved ", last,
               "; go on with: hydravit train --resume ", folder));
    return ending == Ending::interrupted ? 128 + interrupted() : 0;
  }
  std::fputs(subnet_table(trainer.results(), trainer.ema_results()).c_str(), stdout);
  show("checkpoint: " + last);
  std::fflush(stdout);
  std::clearerr(stdout);  // the run is in its folder; that no one reads along is no failure
  listening.reset();      // from here on a signal ends the program at once: everything is saved
  if (interrupted()) {
    say(concat("interrupted; the training is done and saved",
               arguments.report ? "; for its report: hydravit report " + folder : ""));
    return 128 + interrupted();
  }
  if (arguments.report) {
    try {
      say("report: " + write_report({folder, {}, "", {}}));
    } catch (const std::exception& error) {  // the training is done and saved; a page less is no failure
      say(concat("warning: no report: ", error.what(), "; later: hydravit report ", folder));
    }
  }
  return 0;
}

}  // namespace

Command train_command() {
  const auto arguments = std::make_shared<TrainArguments>();
  Fields fields = train_fields(arguments->options);
  add_fields(fields, "saving",
             {{"resume", &arguments->resume, "go on with this run (folder or checkpoint), with its own options"},
              {"report", &arguments->report, "write report.html into the run folder at the end"}});
  add_fields(fields, "machine", {memory_field()});
  return {"train", "train a model of many widths", std::move(fields), {}, [arguments](const std::set<std::string>& given) {
            return run_train(*arguments, given);
          }};
}

}  // namespace hv::train
