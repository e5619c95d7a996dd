"""check_onnx.py BINARY WORKDIR: exported ONNX files against ONNX Runtime.

Trains a moment on images drawn here, exports every width and asks of each file: does ONNX's own checker accept it, shape inference
included; and does ONNX Runtime, given batches of 1 and of 7, give the class probabilities that `predict` gives? They are compared as
logarithms. The images are normalised and the classes named here by what the file's metadata says, so that is checked as well.
"""
import json
import math
import pathlib
import subprocess
import sys

import numpy
import onnx
import onnxruntime
from PIL import Image

BINARY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
TOLERANCE = 1e-4  # of the largest
COUNT = 7
MODELS = {"nano": range(2, 7), "cifar": range(3, 9)}


def program(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def draw_images(folder):
    """COUNT images of waves, as different from each other as real ones: PNG files, and their bytes [COUNT, 3, 32, 32]."""
    y, x = numpy.mgrid[0:32, 0:32] / 32
    a, b, c = numpy.random.default_rng(0).uniform(-9, 9, (3, COUNT, 3, 1, 1))
    images = (127.5 + 127.5 * numpy.sin(a * x + b * y + c)).astype(numpy.uint8)
    files = [folder / f"{i}.png" for i in range(COUNT)]
    for file, image in zip(files, images):
        Image.fromarray(image.transpose(1, 2, 0)).save(file)
    return files, images


def by_onnx(file, images):
    """Logarithms of the probabilities, one dictionary an image; batches of 1 and COUNT must agree."""
    onnx.checker.check_model(str(file), full_check=True)
    metadata = {entry.key: entry.value for entry in onnx.load(str(file)).metadata_props}
    mean, std = (numpy.array(metadata[key].split(), float).reshape(3, 1, 1) for key in ("mean", "std"))
    inputs = ((images / 255 - mean) / std).astype(numpy.float32)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": inputs})
    for i in range(COUNT):
        (alone,) = session.run(["logits"], {"images": inputs[i : i + 1]})
        numpy.testing.assert_allclose(alone[0], logits[i], rtol=0, atol=TOLERANCE * numpy.abs(logits).max())
    logs = logits - numpy.log(numpy.exp(logits.astype(float)).sum(axis=1, keepdims=True))
    return [dict(zip(metadata["class_names"].split("\n"), row)) for row in logs]


def main():
    files, images = draw_images(WORK)
    worst = 0
    for preset, widths in MODELS.items():
        run = WORK / preset
        program("train", "--preset", preset, "--data", "shapes10", "--train-limit", 64, "--steps", 100, "--stop-after", 12,
                "--eval-every", 0, "--batch-size", 8, "--lr", 0.01, "--warmup", 0, "--out", run)  # and no evaluation
        ours = json.loads(program("predict", run, *files, "--heads", f"{widths[0]}-{widths[-1]}", "--topk", 10, "--json"))["results"]
        for heads in widths:
            file = WORK / f"{preset}-{heads}.onnx"
            program("export", run, "--format", "onnx", "--heads", heads, "--out", file)
            theirs = by_onnx(file, images)
            mine = [{c["class"]: math.log(c["probability"]) for c in r["classes"]} for r in ours if r["heads"] == heads]
            assert len(mine) == COUNT and all(len(row) == 10 and row.keys() == other.keys() for row, other in zip(mine, theirs))
            largest = max(abs(value) for row in mine for value in row.values())
            spread = max(abs(mine[0][name] - row[name]) for row in mine for name in row)  # images must not all look alike
            difference = max(abs(row[name] - other[name]) for row, other in zip(mine, theirs) for name in row) / largest
            print(f"  {preset} heads={heads}: {difference:.1e} of {largest:.2f}, between images {spread:.2f}")
            assert spread > 0.01
            worst = max(worst, difference)
    assert worst < TOLERANCE, f"ONNX Runtime differs by {worst:.1e} of the largest, {TOLERANCE} allowed"


main()
