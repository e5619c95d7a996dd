// hydravit train: options -> data, model and folder -> Trainer -> table.
#include <cstdio>
#include <filesystem>

#include "models/hydravit.h"
#include "train/commands/commands.h"
#include "train/file.h"
#include "train/interrupt.h"
#include "train/json.h"
#include "train/report/report.h"
#include "train/setup.h"
#include "train/summary.h"
#include "train/timm_safetensors.h"
#include "train/trainer.h"

namespace hv::train {
namespace {

struct TrainArguments {
  TrainOptions options;
  std::string resume;
  bool report = true;
};

// The stored options, with those given now where that is allowed.
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
  options.threads = 0;  // this machine's business
  options.stop_after = 0;
  for (const std::string& name : given) {
    if (name == "resume" || name == "report") continue;
    const Field* field = find_field(fresh, name);
    HV_CHECK_USAGE(may_change_on_resume(name) || find_field(stored, name)->get() == field->get(), "--", name,
                   ": a run that is resumed keeps its ", name, ", ", find_field(stored, name)->get(), "; start a new one to change it");
    if (name == "epochs") options.steps = 0;
    if (name == "steps") options.epochs = 0;
    find_field(stored, name)->set(field->get());
  }
  return options;
}

models::Config model_config(const TrainOptions& o, int64_t classes) {
  models::Config config = models::named_model(o.preset, classes);
  if (config.at("model") != "hydravit") {
    HV_CHECK_USAGE(o.drop_path == 0 && o.dropout == 0 && o.init == "trunc_normal", "--preset: ", o.preset,
                   " has no --drop-path, --dropout and --init");
    return config;
  }
  models::HydraViTConfig hydravit = models::from_config(config);
  hydravit.drop_path = o.drop_path;
  hydravit.dropout = o.dropout;
  if (o.init == "reference") hydravit.init = o.init;
  return models::to_config(hydravit);
}

int64_t image_side(const TrainOptions& o) { return std::stoll(models::named_model(o.preset, 10).at("image")); }

void check_heads(const TrainOptions& o) {  // before anything is read or made
  if (o.heads.empty()) return;
  HV_CHECK_USAGE(o.preset != "mlp", "--heads: preset mlp has none");
  const models::HydraViTConfig config = models::preset(o.preset);
  for (const int64_t k : parse_heads("--heads", o.heads)) {
    HV_CHECK_USAGE(k >= config.heads_min && k <= config.heads, "--heads: ", k, " is outside preset ", o.preset, ", which runs with ",
                   config.heads_min, " to ", config.heads, " heads");
  }
}

void check_same_data(const Checkpoint& checkpoint, const std::map<std::string, std::string>& now, const std::string& source) {
  const auto stored = checkpoint.header.provenance.find("data_checksum");
  HV_CHECK_INPUT(stored != checkpoint.header.provenance.end() && stored->second == now.at("data_checksum"), source,
                 ": these are not the training images of ", checkpoint.path, " (checksum ", now.at("data_checksum"), ", expected ",
                 stored == checkpoint.header.provenance.end() ? "none" : stored->second, "); name their folder with --data");
}

// The weights of a checkpoint or of timm's model; a narrower one becomes the leading rectangle, as the authors start from DeiT-tiny.
void start_from(const std::string& path, const models::ElasticModel& model) {
  const models::HydraViTConfig config = models::from_config(model.config());
  const TimmModel start = is_safetensors(path) ? read_timm_safetensors(path, config.head_dim) : load_timm(path, 0, false);
  std::vector<NamedTensor> parameters;
  for (const nn::Parameter& parameter : model.parameters()) parameters.push_back({parameter.name, parameter.value.detach()});
  if (!put_timm(start, path, config, parameters)) {
    say(concat("NOTICE: ", path, " tells ", start.config.classes, " classes apart, the data have ", config.classes,
               ": the classifier starts anew, all other weights are kept"));
  }
}

int run_train(TrainArguments arguments, const std::set<std::string>& given) {
  TrainOptions& o = arguments.options;
  Checkpoint checkpoint;
  const bool resume = !arguments.resume.empty();
  if (resume) {
    checkpoint = load_run(arguments.resume, say);
    HV_CHECK_INPUT(checkpoint.header.counters.count("step") == 1, checkpoint.path,
                   ": holds weights alone, no run to go on with; start one from them with --init ", checkpoint.path);
    o = resumed_options(checkpoint, o, given);
  } else if (o.epochs == 0 && o.steps == 0 && o.minutes == 0) {
    o.epochs = 10;
  }
  check_options(o);
  check_heads(o);
  const InterruptScope listening;  // from here on a signal ends the run with a checkpoint, if only of step 0
  start_compute(o.threads);

  const int64_t image_size = image_side(o);
  const data::Source source = choose_data(o.data, o.kind, image_size);
  o.data = source.data;
  const data::DatasetPtr train = data::open(source, data::Split::train), test = data::open(source, data::Split::test);
  HV_CHECK_USAGE(train->height() == image_size, "--preset: ", o.preset, " is for images of ", image_size, " pixels, ", train->name(),
                 " has ", train->height(), "; choose another preset");
  say(start_line(o.seed, source, train.get(), test.get()));

  const std::unique_ptr<models::ElasticModel> model = resume
      ? model_of(checkpoint.header, checkpoint.path)
      : models::make_model(model_config(o, train->classes()), static_cast<uint64_t>(o.seed));
  HV_CHECK_INPUT(model->classes() == train->classes() && model->image_size() == train->height(), checkpoint.path, ": a model of ",
                 model->classes(), " classes and images of ", model->image_size(), "; ", train->name(), " has ", train->classes(),
                 " and ", train->height(), "; is it a checkpoint of another model?");
  if (!resume && o.init != "trunc_normal" && o.init != "reference") {
    HV_CHECK_USAGE(file_exists(o.init), "--init: '", o.init, "' is neither trunc_normal nor reference nor a checkpoint");
    start_from(o.init, *model);
  }
  const std::vector<models::Subnet> widths = choose_widths(*model, o.heads);
  auto recipe = std::make_unique<HydraViTRecipe>(
      widths, WidthSampler(static_cast<uint64_t>(o.seed), static_cast<int64_t>(widths.size()), parse_weights("--weights", o.weights)),
      o.smoothing);
  RunSetup setup{*model, widths, *train, test.get(), o};
  setup.provenance = provenance(source, *train, test.get());
  setup.show_progress = true;
  if (resume) check_same_data(checkpoint, setup.provenance, source.data);

  Trainer trainer(setup, std::move(recipe));
  if (resume) trainer.restore(checkpoint);
  checkpoint.tensors.clear();

  // Everything that could be refused was: now the folder.
  std::string folder = arguments.resume;
  if (!resume) {
    folder = make_run_folder(o.out, o.preset);
  } else if (!is_folder(folder)) {
    folder = std::filesystem::path(folder).parent_path().string();
    if (folder.empty()) folder = ".";
  }
  remove_stale_files(folder);
  trainer.write_to(folder);
  write_file(join_path(folder, "config.json"), config_json(trainer.header()));
  say(concat(resume ? "resuming at step " : "training ", resume ? std::to_string(trainer.step()) : model->config().at("model"), " in ",
             folder, ", ", model->parameter_count(), " parameters, ", widths.size(), widths.size() == 1 ? " width" : " widths",
             trainer.total_steps() > 0 ? concat(", ", trainer.total_steps(), " steps") : "",
             o.minutes > 0 ? concat(", at most ", o.minutes, " minutes") : ""));

  const Ending ending = trainer.run();
  const std::string last = join_path(folder, "last.ckpt");
  if (ending != Ending::finished) {
    say(concat(ending == Ending::interrupted ? "interrupted" : "stopped", " after step ", trainer.step(), "; saved ", last,
               "; go on with: hydravit train --resume ", folder));
    return ending == Ending::interrupted ? 128 + interrupted() : 0;
  }
  std::fputs(width_table(trainer.results(), trainer.ema_results()).c_str(), stdout);
  std::printf("checkpoint: %s\n", last.c_str());
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
  fields.push_back({"resume", &arguments->resume, "go on with this run (folder or checkpoint), with its own options"});
  fields.push_back({"report", &arguments->report, "write report.html into the run folder at the end"});
  return {"train", "train a model of many widths", std::move(fields), {},
          [arguments](const std::set<std::string>& given) { return run_train(*arguments, given); }};
}

}  // namespace hv::train
