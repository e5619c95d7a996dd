"""check_onnx.py BINARY WORKDIR: exported ONNX files against ONNX Runtime.

Trains models for a moment and exports every subnetwork that they were trained with, those that resize images and drop tokens
included. ONNX's own checker must accept each file, with shape inference; ONNX Runtime must compute the logits of `eval` for batches of 1
and of 5 images. The images are normalised by the values in the file's metadata, so these are checked as well.
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
TOLERANCE = 1e-5  # of the largest logit; deit: ten times as much
COUNT = 5
VIEWS = ["--recipe", "joint", "--sizes", "16,32", "--keep", "0.5,1"]
# what to train, how many subnetworks it has, steps, batch
MODELS = {
    "nano": ([], 5, 12, 8),
    "scala-nano": ([], 13, 12, 8),
    "supervit-nano": ([], 9, 12, 8),
    "nano-views": (["--preset", "nano", "--heads", "3,6", *VIEWS], 8, 12, 8),
    "nano-resized": (["--preset", "nano", "--heads", "3,6", *VIEWS, "--positions", "resized", "--prune", "0,1,3"], 8, 12, 8),
    "scala-views": (["--preset", "scala-nano", *VIEWS, "--heads", "0.5,1"], 8, 12, 8),
    "cifar": ([], 6, 12, 8),
    "deit": (["--preset", "deit", "--heads", "3,8,12"], 3, 1, 2),
}


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
    data = "shapes10"
    for model, (options, count, steps, batch) in MODELS.items():
        run, predictions = WORK / model, WORK / f"{model}.safetensors"
        if model == "deit":
            data = large_images(WORK / "large", ours["images"])
        options = options or ["--preset", model]
        program("train", *options, "--data", data, "--train-limit", 64, "--steps", 100, "--stop-after", steps, "--ema", 0,
                "--eval-every", 0, "--batch-size", batch, "--lr", 0.01, "--warmup", 0, "--out", run)  # and no evaluation
        program("eval", run, "--limit", COUNT, "--predictions", predictions)
        program("export", run, "--format", "onnx", "--heads", "all", "--out", WORK / f"{model}.onnx")
        ours = safetensors.numpy.load_file(predictions)
        subnets = [name.removeprefix("logits.") for name in ours if name.startswith("logits.")]
        assert len(subnets) == count, subnets
        for subnet in subnets:
            logits = ours[f"logits.{subnet}"]
            largest, between_images = numpy.abs(logits).max(), numpy.ptp(logits, axis=0).max()
            difference = numpy.abs(by_onnx(WORK / f"{model}-{subnet}.onnx", ours["images"]) - logits).max() / largest
            print(f"  {model} {subnet}: {difference:.1e} of {largest:.2f}; images differ by {between_images:.2f}")
            assert between_images > 0.01  # else the images would not matter
            allowed = TOLERANCE * (10 if model == "deit" else 1)
            assert difference < allowed, f"ONNX Runtime differs by {difference:.1e} of the largest logit, {allowed} allowed"


main()
