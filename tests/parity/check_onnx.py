"""check_onnx.py BINARY WORKDIR: exported ONNX files against ONNX Runtime.

Trains every preset for a moment and exports every width. ONNX's own checker must accept each file, with shape inference; ONNX Runtime
must compute the logits of `eval` for batches of 1 and of 7 images. The images are normalised by the values in the file's metadata, so
these are checked as well.
"""
import pathlib
import subprocess
import sys

import numpy
import onnx
import onnxruntime
import safetensors.numpy
from PIL import Image

BINARY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
TOLERANCE = 1e-4  # of the largest logit
COUNT = 7
# axis, widths, steps to train, batch
MODELS = {"nano": ("heads", range(2, 7), 12, 8), "scala-nano": ("ratio", [k / 16 for k in range(4, 17)], 12, 8),
          "cifar": ("heads", range(3, 9), 12, 8), "deit": ("heads", range(3, 13), 1, 2)}


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


def large_images(folder, images):
    """Images of 32 pixels as 224, a folder per class, for preset deit."""
    for i, image in enumerate(images):
        for split in ("train", "test"):
            file = folder / split / f"class{i}" / "0.png"
            file.parent.mkdir(parents=True)
            Image.fromarray(image.transpose(1, 2, 0).repeat(7, 0).repeat(7, 1)).save(file)
    return folder


def main():
    worst, data = 0, "shapes10"
    for preset, (axis, widths, steps, batch) in MODELS.items():
        run, predictions = WORK / preset, WORK / f"{preset}.safetensors"
        if preset == "deit":
            data = large_images(WORK / "large", ours["images"])
        program("train", "--preset", preset, "--data", data, "--train-limit", 64, "--steps", 100, "--stop-after", steps, "--ema", 0,
                "--eval-every", 0, "--batch-size", batch, "--lr", 0.01, "--warmup", 0, "--out", run)  # and no evaluation
        program("eval", run, "--limit", COUNT, "--predictions", predictions)
        ours = safetensors.numpy.load_file(predictions)
        for width in widths:
            file = WORK / f"{preset}-{width:g}.onnx"
            program("export", run, "--format", "onnx", "--heads", f"{width:g}", "--out", file)
            logits = ours[f"logits.{axis}{width:g}"]
            largest, between_images = numpy.abs(logits).max(), numpy.ptp(logits, axis=0).max()
            difference = numpy.abs(by_onnx(file, ours["images"]) - logits).max() / largest
            print(f"  {preset} {axis}={width:g}: {difference:.1e} of {largest:.2f}; images differ by {between_images:.2f}")
            assert between_images > 0.01  # else the images would not matter
            worst = max(worst, difference)
    assert worst < TOLERANCE, f"ONNX Runtime differs by {worst:.1e} of the largest logit, {TOLERANCE} allowed"


main()
