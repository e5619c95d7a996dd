"""check_tensorboard.py BINARY WORKDIR: the event files of `train --tensorboard on`, read by TensorBoard itself.

Trains for a moment, drops the last steps as a kill would, and resumes. Then TensorBoard's own reader must find the numbers of events.jsonl
in the run folder, each step once.
"""
import json
import math
import pathlib
import subprocess
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError as error:
    print(f"SKIPPED: no TensorBoard here ({error}); see tests/parity/requirements.txt")
    sys.exit(77)

BINARY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
RUN = WORK / "run"


def program(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def expected():
    """{tag: {step: value}}, as events.jsonl has it."""
    found = {}
    for line in (RUN / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        put = lambda tag, value: found.setdefault(tag, {}).__setitem__(event["step"], value)
        if event["event"] == "log":
            for tag, name in ("loss/train", "loss"), ("lr", "lr"), ("images_per_second", "images_per_second"):
                put(tag, event[name])
            for width in event["widths"]:
                if width["drawn"]:
                    put(f"train_loss/heads={width['heads']}", width["loss"])
        elif event["event"] == "eval":
            for prefix, results in ("", event["results"]), ("ema_", event["ema"]):
                for result in results:
                    for name in "top1", "top5", "loss":
                        put(f"{prefix}{name}/heads={result['heads']}", result[name])
    return found


def read(folder):
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    return {tag: {e.step: e.value for e in reader.Scalars(tag)} for tag in reader.Tags()["scalars"]}


def main():
    options = ["--preset", "nano", "--data", "shapes10", "--train-limit", 80, "--batch-size", 8, "--tensorboard", "on", "--log-interval", 3]
    program("train", *options, "--steps", 24, "--eval-limit", 20, "--stop-after", 14, "--out", RUN)
    for name in "last.ckpt", "prev.ckpt":  # the state of step 10, the end of the first epoch
        (RUN / name).rename(WORK / name)
    (WORK / "prev.ckpt").rename(RUN / "last.ckpt")
    first = read(RUN)
    assert max(first["lr"]) == 14, sorted(first["lr"])
    program("train", "--resume", RUN)
    wanted, found = expected(), read(RUN)
    assert len(list(RUN.glob("events.out.tfevents.*"))) == 2
    assert set(wanted) == set(found), set(wanted) ^ set(found)
    assert 14 not in wanted["lr"] and max(wanted["lr"]) == 24, sorted(wanted["lr"])
    for tag, values in wanted.items():
        assert set(values) == set(found[tag]), (tag, sorted(values), sorted(found[tag]))
        for step, value in values.items():
            assert math.isclose(value, found[tag][step], rel_tol=1e-6), (tag, step, value, found[tag][step])
    print(f"  {len(wanted)} tags, {sum(map(len, wanted.values()))} scalars in two sessions are those of events.jsonl")


main()
