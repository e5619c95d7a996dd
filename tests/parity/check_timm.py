#!/usr/bin/env python3
"""Does timm compute what we compute? Both ways, through safetensors files.

    python3 tests/parity/check_timm.py HYDRAVIT_BINARY WORKDIR

1. Trains models of the presets nano, cifar and scala-nano for a moment, exports them at every width and as a whole, loads each file into
   timm's VisionTransformer or VisionTransformerDistilled with strict=True, and compares the logits of test images with ours (eval
   --predictions), which must agree to 1e-4 of the largest. The same for deit with random weights from timm, on ten of the images,
   enlarged seven times.
2. Makes a timm model with random weights, saves it with the safetensors library, imports it, and compares the logits again; the same
   for a model imported into a wider one, for half-precision weights, and for a distilled DeiT. A plain model becomes a Scala without
   DIST token, whose every ratio is exported.
3. Compares the bytes of a file's tensors with those that the safetensors library writes.

Uses CIFAR-10 from $HYDRAVIT_DATA, else the built-in shapes10. Installs nothing: without torch, timm and safetensors it says so and
exits with 77. Exit code 1: something differs.
"""
import functools
import os
import shutil
import subprocess
import sys

try:
    import safetensors
    import safetensors.torch as st
    import timm
    import torch
    from PIL import Image
    from timm.models import VisionTransformer
    from timm.models.deit import VisionTransformerDistilled
except ImportError as error:
    print(f"SKIPPED: check_timm.py needs torch, timm and safetensors: {error}", file=sys.stderr)
    sys.exit(77)

TOLERANCE = 1e-4
IMAGES = 100


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"FAILED: {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def read(path):
    with safetensors.safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}


def vit(image, patch, width, depth, heads, ratio, classes, distilled=False, eps=1e-6):
    kind, init = (VisionTransformerDistilled, "") if distilled else (VisionTransformer, "skip")
    norm = functools.partial(torch.nn.LayerNorm, eps=eps)
    return kind(img_size=image, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=ratio,
                num_classes=classes, weight_init=init, norm_layer=norm).eval()


def vit_of(path):
    """timm's model of an exported file, with its weights."""
    weights, about = read(path)
    heads, width = int(about["heads"]), weights["cls_token"].shape[2]
    model = vit(int(about["image"]), int(about["patch"]), width, int(about["depth"]), heads, int(about["mlp_ratio"]),
                int(about["classes"]), about.get("distilled") == "on", float(about.get("eps", "1e-6")))
    model.load_state_dict(weights, strict=True)
    return model


def three(text):
    return torch.tensor([float(x) for x in text.split()]).view(1, 3, 1, 1)


@torch.no_grad()
def compare(what, model, predictions, subnet):
    """timm's logits of the images an evaluation saw against those the evaluation found."""
    seen, about = read(predictions)
    images = (seen["images"].float() / 255 - three(about["mean"])) / three(about["std"])
    ours, theirs = seen[f"logits.{subnet}"], model(images)
    difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    same = (ours.argmax(1) == theirs.argmax(1)).float().mean().item()
    good = difference < TOLERANCE  # NaN is not
    print(f"{'ok  ' if good else 'FAIL'} {what}: largest difference {difference:.1e} of the largest logit, {100 * same:.0f} % of "
          f"{len(images)} images get the same class")
    return good


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, work = os.path.abspath(sys.argv[1]), sys.argv[2]
    data = os.environ.get("HYDRAVIT_DATA")
    data = os.path.abspath(data) if data else "shapes10"
    os.makedirs(work, exist_ok=True)
    os.chdir(work)
    print(f"torch {torch.__version__}, timm {timm.__version__}, safetensors {safetensors.__version__}, data {data}")
    torch.manual_seed(0)
    good = True

    def evaluate(checkpoint, heads, out, images=data):
        run(program, "eval", checkpoint, "--data", images, "--limit", str(IMAGES), "--heads", heads, "--predictions", out)

    def compare_exports(checkpoint, preset, widths, predictions, axis="heads"):
        same = True
        for width in widths:
            run(program, "export", checkpoint, "--heads", f"{width:g}", "--out", "one.safetensors")
            subnet = f"{axis}{width:g}"
            same &= compare(f"{preset}, export of {subnet} into timm", vit_of("one.safetensors"), predictions, subnet)
        run(program, "export", checkpoint, "--out", "all.safetensors")
        return same & compare(f"{preset}, export of the whole model into timm", vit_of("all.safetensors"), predictions, subnet)

    ratios = [k / 16 for k in range(4, 17)]
    for preset, steps, widths, axis in (("nano", "100", range(2, 7), "heads"), ("scala-nano", "100", ratios, "ratio"),
                                        ("cifar", "20", range(3, 9), "heads")):
        shutil.rmtree(preset, ignore_errors=True)
        # The first steps of a longer run, so that no evaluation follows.
        run(program, "train", "--preset", preset, "--data", data, "--steps", "200", "--stop-after", steps, "--batch-size", "64",
            "--eval-every", "0", "--out", preset)
        evaluate(preset, f"{widths[0]}-{widths[-1]}", "ours.safetensors")
        good &= compare_exports(preset, preset, widths, "ours.safetensors", axis)

    images = read("ours.safetensors")[0]["images"][:10].repeat_interleave(7, 2).repeat_interleave(7, 3)
    for i, image in enumerate(images):
        for split in ("train", "test"):
            os.makedirs(f"large/{split}/class{i}", exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(f"large/{split}/class{i}/0.png")
    base = vit(224, 16, 768, 12, 12, 4, 10)
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    st.save_file(base.state_dict(), "base.safetensors")
    run(program, "import", "base.safetensors", "--preset", "deit", "--out", "deit.ckpt")
    evaluate("deit.ckpt", "3-12", "deit.p.safetensors", "large")
    good &= compare_exports("deit.ckpt", "deit", range(3, 13), "deit.p.safetensors")

    shapes = [("of 3 heads of 64", (32, 4, 192, 3, 3, 4, 10)), ("of 2 heads of 64, patches of 8", (32, 8, 128, 2, 2, 2, 10)),
              ("of 3 heads of 64, distilled", (32, 4, 192, 3, 3, 4, 10, True)),
              ("of 6 heads of 16, eps 1e-5", (32, 4, 96, 4, 6, 2, 10, False, 1e-5))]
    for name, shape in shapes:
        model = vit(*shape)
        with torch.no_grad():
            for parameter in model.parameters():  # no zeros and ones: they would hide a wrong place
                parameter.normal_(0, 0.2)
        st.save_file(model.state_dict(), "timm.safetensors")
        heads, plain = shape[4], len(shape) == 7
        subnet = f"heads{heads}" if plain else "ratio1"
        hints = ["--eps", "1e-5", "--head-dim", "16"] if shape[-1] == 1e-5 else []
        checkpoints = [("timm.ckpt", "import from timm, ")]
        run(program, "import", "timm.safetensors", *hints, "--out", "timm.ckpt")
        if plain:
            run(program, "import", "timm.safetensors", "--into-heads", str(heads + 2), "--out", "wide.ckpt")
            checkpoints.append(("wide.ckpt", "import into a wider model, "))
        for checkpoint, what in checkpoints:
            evaluate(checkpoint, subnet.lstrip("headsrtio"), "theirs.safetensors")
            good &= compare(what + name, model, "theirs.safetensors", subnet)
        if hints:  # a Scala without DIST token
            run(program, "import", "timm.safetensors", "--preset", "scala-nano", "--eps", "1e-5", "--out", "scala.ckpt")
            evaluate("scala.ckpt", "0.25-1", "scala.p.safetensors")
            good &= compare("import as a whole Scala, " + name, model, "scala.p.safetensors", "ratio1")
            good &= compare_exports("scala.ckpt", "scala-nano without DIST", ratios, "scala.p.safetensors", "ratio")
        run(program, "export", "timm.ckpt", "--out", "back.safetensors")
        back, _ = read("back.safetensors")
        same = all(torch.equal(back[key], value) for key, value in model.state_dict().items()) and len(back) == len(model.state_dict())
        print(f"{'ok  ' if same else 'FAIL'} import and export give back every weight of timm's")
        good &= same
        model = model.half().float()
        st.save_file({key: value.half() for key, value in model.state_dict().items()}, "half.safetensors")
        run(program, "import", "half.safetensors", *hints, "--out", "half.ckpt")
        evaluate("half.ckpt", subnet.lstrip("headsrtio"), "half.p.safetensors")
        good &= compare("import of half precision, " + name, model, "half.p.safetensors", subnet)

    # The header is another matter: the library keeps metadata in no fixed order.
    seen, _ = read("ours.safetensors")
    ours = open("ours.safetensors", "rb").read()
    length = int.from_bytes(ours[:8], "little")
    st.save_file(seen, "library.safetensors")
    library = open("library.safetensors", "rb").read()
    same = ours[8 + length:] == library[8 + int.from_bytes(library[:8], "little"):]
    print(f"{'ok  ' if same else 'FAIL'} the safetensors library lays the tensors of a file of ours out in the same bytes")
    good &= same
    print("all agree" if good else "SOMETHING DIFFERS")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
