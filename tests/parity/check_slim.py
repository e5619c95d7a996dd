"""check_slim.py BINARY WORKDIR: cut models against ONNX Runtime and timm.

Writes files of cut models of random weights with the safetensors library: heads of unequal sizes, a head, an attention and an MLP that
are gone, tokens that leave or are masked, two budgets. `import` makes checkpoints of them, `eval` their logits. ONNX Runtime must compute
these from the export of each budget; timm from the export of a model whose blocks are alike.
"""
import pathlib
import subprocess
import sys

import numpy
import onnx
import onnxruntime
import safetensors
import safetensors.numpy
import torch
from timm.models import VisionTransformer

BINARY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
TOLERANCE = 1e-5  # of the largest logit
E, COUNT = 24, 5
CLASSES = "circle ring crescent square bar triangle star cross heart arrow".split()  # of shapes10
LIVES = "3,2,3,0,1,3,3,2,2,3,1,3,3,0,3,3,3"
MODELS = {  # the metadata that differ
    "removed": dict(budgets="0.5,0.9", head_dims="5,0,8/0,0,0/1,2,3;8,1,8/0,0,0/7,8,3", hidden="9,20,0;30,48,0", life=LIVES),
    "masked": dict(budgets="1", head_dims="5,0,8/0,0,0/1,2,3", hidden="9,20,0", life=LIVES, tokens_by="masked"),
    "alike": dict(budgets="1", head_dims="8,8,8/8,8,8/8,8,8", hidden="31,31,31"),
}


def program(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(file, sizes):
    random = numpy.random.default_rng(7)
    sums = [sum(map(int, block.split(","))) for block in sizes["head_dims"].split(";")[-1].split("/")]
    units = list(map(int, sizes["hidden"].split(";")[-1].split(",")))
    shapes = {"cls_token": (1, 1, E), "pos_embed": (1, 17, E), "patch_embed.proj.weight": (E, 3, 8, 8), "patch_embed.proj.bias": (E,),
              "norm.weight": (E,), "norm.bias": (E,), "head.weight": (10, E), "head.bias": (10,)}
    for i, (h, m) in enumerate(zip(sums, units)):
        layers = {"attn.qkv": (3 * h, E), "attn.proj": (E, h), "mlp.fc1": (m, E), "mlp.fc2": (E, m), "norm1": (E,), "norm2": (E,)}
        for name, shape in layers.items():
            shapes[f"blocks.{i}.{name}.weight"] = shape
            shapes[f"blocks.{i}.{name}.bias"] = shape[:1]
    metadata = dict(model="slim", image="32", patch="8", channels="3", depth="3", mlp_ratio="3", classes="10", drop_path="0", dropout="0",
                    init="trunc_normal", width=str(E), head_dim="8", mean="0.5 0.4 0.3", std="0.2 0.25 0.3",
                    class_names="\n".join(CLASSES), **sizes)
    tensors = {name: random.normal(0.1, 0.3, shape).astype(numpy.float32) for name, shape in shapes.items()}
    safetensors.numpy.save_file(tensors, file, metadata)


def by_onnx(file, images):
    """The logits of all images in one batch, then each alone: [2, COUNT, classes]."""
    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    alone = [session.run(["logits"], {"images": images[i : i + 1]})[0][0] for i in range(COUNT)]
    return numpy.array([session.run(["logits"], {"images": images})[0], alone])


def by_timm(file, images):
    weights = safetensors.numpy.load_file(file)
    model = VisionTransformer(img_size=32, patch_size=8, embed_dim=E, depth=3, num_heads=3, num_classes=10, weight_init="skip",
                              mlp_ratio=(weights["blocks.0.mlp.fc1.bias"].size + 0.5) / E).eval()
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, strict=True)
    with torch.no_grad():
        return model(torch.tensor(images)).numpy()


def compare(what, found, expected):
    largest, between_images = numpy.abs(expected).max(), numpy.ptp(expected, axis=0).max()
    difference = numpy.abs(found - expected).max() / largest
    print(f"  {what}: {difference:.1e} of {largest:.2f}; images differ by {between_images:.2f}")
    assert between_images > 0.01 and difference < TOLERANCE


def main():
    for name, sizes in MODELS.items():
        file, checkpoint, predictions = WORK / f"{name}.st", WORK / f"{name}.ckpt", WORK / f"{name}.p.safetensors"
        write(file, sizes)
        program("import", file, "--out", checkpoint)
        program("eval", checkpoint, "--data", "shapes10", "--limit", COUNT, "--predictions", predictions)
        ours = safetensors.numpy.load_file(predictions)
        with safetensors.safe_open(predictions, "numpy") as about:
            mean, std = (numpy.array(about.metadata()[key].split(), float).reshape(3, 1, 1) for key in ("mean", "std"))
        images = ((ours["images"] / 255 - mean) / std).astype(numpy.float32)
        program("export", checkpoint, "--format", "onnx", "--heads", "all", "--out", WORK / f"{name}.onnx")
        budgets = [key.removeprefix("logits.") for key in ours if key.startswith("logits.")]
        assert len(budgets) == len(sizes["budgets"].split(","))
        for budget in budgets:
            onnx_file = WORK / (f"{name}-{budget}.onnx" if len(budgets) > 1 else f"{name}.onnx")
            compare(f"{name} {budget} in ONNX Runtime", by_onnx(onnx_file, images), ours[f"logits.{budget}"])
        said = program("export", checkpoint, "--out", WORK / f"{name}.safetensors")
        if name == "alike":
            assert "in timm: timm.models.VisionTransformer(" in said, said
            compare(f"{name} in timm", by_timm(WORK / f"{name}.safetensors", images), ours["logits.full"])
        else:  # every byte of every tensor
            assert "in timm: none" in said, said
            before, after = safetensors.numpy.load_file(file), safetensors.numpy.load_file(WORK / f"{name}.safetensors")
            assert before.keys() == after.keys() and all((before[key] == after[key]).all() for key in before)


main()
