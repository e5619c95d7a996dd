"""check_onnx.py BINARY WORKDIR: exported ONNX files against ONNX Runtime.

Trains two presets a moment, exports every width and asks of each file: does ONNX's own checker accept it, shape inference included; and
does ONNX Runtime, given batches of 1 and of 7, compute the logits that `eval` computed? The images are normalised here by what the
file's metadata says, so that is checked as well.
"""
import pathlib
import subprocess
import sys

import numpy
import onnx
import onnxruntime
import safetensors.numpy

BINARY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
TOLERANCE = 1e-4  # of the largest logit
COUNT = 7
MODELS = {"nano": range(2, 7), "cifar": range(3, 9)}


def program(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def by_onnx(file, images):
    """The logits of all images in one batch, then each alone: [2, COUNT, classes]."""
    onnx.checker.check_model(str(file), full_check=True)
    metadata = {entry.key: entry.value for entry in onnx.load(str(file)).metadata_props}
    mean, std = (numpy.array(metadata[key].split(), float).reshape(3, 1, 1) for key in ("mean", "std"))
    inputs = ((images / 255 - mean) / std).astype(numpy.float32)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    together = session.run(["logits"], {"images": inputs})[0]
    alone = [session.run(["logits"], {"images": inputs[i : i + 1]})[0][0] for i in range(COUNT)]
    return numpy.array([together, alone])


def main():
    worst = 0
    for preset, widths in MODELS.items():
        run, predictions = WORK / preset, WORK / f"{preset}.safetensors"
        program("train", "--preset", preset, "--data", "shapes10", "--train-limit", 64, "--steps", 100, "--stop-after", 12,
                "--eval-every", 0, "--batch-size", 8, "--lr", 0.01, "--warmup", 0, "--out", run)  # and no evaluation
        program("eval", run, "--limit", COUNT, "--predictions", predictions)
        ours = safetensors.numpy.load_file(predictions)
        for heads in widths:
            file = WORK / f"{preset}-{heads}.onnx"
            program("export", run, "--format", "onnx", "--heads", heads, "--out", file)
            logits = ours[f"logits.heads{heads}"]
            largest, between_images = numpy.abs(logits).max(), numpy.ptp(logits, axis=0).max()
            difference = numpy.abs(by_onnx(file, ours["images"]) - logits).max() / largest
            print(f"  {preset} heads={heads}: {difference:.1e} of {largest:.2f}; images differ by {between_images:.2f}")
            assert between_images > 0.01  # else the images would not matter
            worst = max(worst, difference)
    assert worst < TOLERANCE, f"ONNX Runtime differs by {worst:.1e} of the largest logit, {TOLERANCE} allowed"


main()
