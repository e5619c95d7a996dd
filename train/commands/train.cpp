// hydravit train: options -> data, model and folder -> Trainer -> table.
#include <cstdio>
#include <optional>

#include "train/choice/few.h"
#include "train/commands/commands.h"
#include "train/files/file.h"
#include "train/io/interrupt.h"
#include "train/io/json.h"
#include "train/io/memory.h"
#include "train/io/print.h"
#include "train/log/run_log.h"
#include "train/log/summary.h"
#include "train/report/report.h"
#include "train/start/first_weights.h"
#include "train/start/model_choice.h"
#include "train/start/provenance.h"
#include "train/start/resume.h"
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

int run_train(TrainArguments arguments, const std::set<std::string>& given, const std::function<void(TrainOptions&)>& begin) {
  TrainOptions& o = arguments.options;
  const bool resume = !arguments.resume.empty();
  Resumed resumed;
  Checkpoint& checkpoint = resumed.checkpoint;
  const std::string out = o.out;
  if (resume) {
    resumed = open_resumed(arguments.resume, out);
    o = resumed_options(checkpoint, o, given);
  } else {
    if (o.epochs == 0 && o.steps == 0 && o.minutes == 0) o.epochs = 10;
    if (is_folder(out)) refuse_used_folder(out);  // before the data are read
    if (begin) begin(o);
    if (!begin) take_model(o, given.contains("preset"));
  }
  check_options(o);
  check_model(o);
  std::optional<InterruptScope> listening(
      std::in_place);  // from here on a signal ends the run with a checkpoint, if only of step 0
  Prepared p = prepare(o, resume ? &checkpoint : nullptr);
  RunSetup setup{*p.model, p.subnets, *p.train, p.test.get(), o};
  setup.validation = p.validation.get();
  setup.provenance = provenance(p.source, *p.train, p.test.get());

  Trainer trainer(setup, make_recipe(o, *p.model, p.subnets));
  if (resume) {
    const bool same_tests = check_same_run(checkpoint, setup.provenance, *p.train, p.source.data);
    trainer.restore(checkpoint);
    // A new folder has no best.ckpt, and the mean of others is no measure.
    if (!same_tests || !resumed.folder || given.contains(kFewOption)) trainer.forget_best();
  }
  checkpoint.tensors.clear();
  check_header(trainer.header(), trainer.tensors());

  // Everything that could be refused was: now the folder.
  OpenFolder& held = resumed.folder;
  const bool holds_state = static_cast<bool>(held);
  if (!held) {
    held = make_run_folder(out, o.preset);
    resumed.lock = std::make_unique<FolderLock>(held, say);
    refuse_used_folder(held);  // once more: another may have begun and ended before we had the lock
  }
  const std::string& folder = held.path();
  remove_stale_files(held);
  if (is_folder(arguments.resume)) go_on_from(held, checkpoint.path);
  trainer.write_to(held, holds_state, [&] { resumed.lock->hold(); });
  write_file(held / "config.json", config_json(trainer.header(), o));
  say(concat(resume ? "resuming at step " : "training ",
             resume ? std::to_string(trainer.step()) : p.model->config().at("model"), " in ", folder, ", ",
             p.model->parameter_count(), " parameters, ", p.subnets.size(),
             chosen_axes(p.subnets[0]) > 1 ? " subnetworks"
             : p.subnets.size() == 1       ? " width"
                                           : " widths",
             trainer.total_steps() > 0 ? concat(", ", trainer.total_steps(), " steps") : "",
             o.minutes > 0 ? concat(", at most ", o.minutes, " minutes") : ""));

  RunLog log(held, o, p.test.get(), true);
  const Ending ending = trainer.run(log);
  const std::string last = join_path(folder, "last.ckpt");
  if (ending != Ending::finished) {
    say(concat(ending == Ending::interrupted ? "interrupted" : "stopped", " after step ", trainer.step(), "; saved ", last,
               "; go on with: hydravit train --resume ", folder));
    return ending == Ending::interrupted ? 128 + interrupted() : 0;
  }
  std::fputs(subnet_table(trainer.results(), trainer.ema_results()).c_str(), stdout);
  if (!trainer.results().empty() && !trainer.results()[0].warning.empty()) show(trainer.results()[0].warning);
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
      say("report: " + write_report({folder, {}, "", {}, {}, held}));
    } catch (const std::exception& error) {  // the training is done and saved; a page less is no failure
      say(concat("warning: no report: ", error.what(), "; later: hydravit report ", folder));
    }
  }
  return 0;
}

}  // namespace

Command training_command(const std::string& name, const std::string& help, const TrainOptions& defaults,
                         std::vector<Positional> positionals, std::function<void(TrainOptions&)> prepare) {
  const auto arguments = std::make_shared<TrainArguments>();
  arguments->options = defaults;
  Fields fields = train_fields(arguments->options);
  add_fields(fields, "saving",
             {{"resume", &arguments->resume, "go on with this run (folder or checkpoint), with its own options"},
              {"report", &arguments->report, "write report.html into the run folder at the end"}});
  add_fields(fields, "machine", {memory_field()});
  return {name, help, std::move(fields), std::move(positionals),
          [arguments, prepare](const std::set<std::string>& given) { return run_train(*arguments, given, prepare); }};
}

Command train_command() { return training_command("train", "train a model of many widths", {}, {}, {}); }

}  // namespace hv::train
