"""Writes small_hydravit.bin: what PyTorch computes for a small HydraViT, for tests/test_parity.cpp to compare with.

    python3 tests/parity/make_fixtures.py        needs only torch (Debian: python3-torch 1.13.1); the tests need neither

PyTorch computes in double precision on weights rounded to float, so a difference is ours.

The file: a first line, then records, then a line "end". A record is a line "name size size ..." and the elements, row-major, as
little-endian 32-bit floats. Gradients are stored for the rectangle that a width uses; that the rest is 0 is checked here.
Rows of attn.qkv are stored (head, {q, k, v}, head_dim), as our model keeps them; PyTorch computes with [q; k; v].
"""
import pathlib
import struct

import torch
import torch.nn.functional as F

IMAGE, PATCH, CHANNELS, DEPTH, HEAD_DIM, HEADS_MIN, HEADS, RATIO, CLASSES = 8, 4, 3, 2, 8, 2, 4, 2, 10
BATCH, SMOOTHING, LR, DECAY = 3, 0.1, 0.01, 0.05
STEPS = [4, 2, 3, 2, 4, 3, 3, 2, 4, 4, 2, 3, 2, 2, 4, 3, 4, 2, 3, 4]  # heads of the 20 AdamW steps
WIDTH = HEADS * HEAD_DIM
TOKENS = (IMAGE // PATCH) ** 2 + 1


def shapes():
    yield "cls_token", (1, 1, WIDTH)
    yield "pos_embed", (1, TOKENS, WIDTH)
    yield "patch_embed.proj.weight", (WIDTH, CHANNELS, PATCH, PATCH)
    yield "patch_embed.proj.bias", (WIDTH,)
    for i in range(DEPTH):
        for layer, rows, cols in [("norm1", WIDTH, 0), ("attn.qkv", 3 * WIDTH, WIDTH), ("attn.proj", WIDTH, WIDTH), ("norm2", WIDTH, 0),
                                  ("mlp.fc1", RATIO * WIDTH, WIDTH), ("mlp.fc2", WIDTH, RATIO * WIDTH)]:
            yield f"blocks.{i}.{layer}.weight", (rows, cols) if cols else (rows,)
            yield f"blocks.{i}.{layer}.bias", (rows,)
    yield "norm.weight", (WIDTH,)
    yield "norm.bias", (WIDTH,)
    yield "head.weight", (CLASSES, WIDTH)
    yield "head.bias", (CLASSES,)


def forward(w, images, heads):
    p = heads * HEAD_DIM
    norm = lambda x, n: F.layer_norm(x, (p,), w[n + ".weight"][:p], w[n + ".bias"][:p], 1e-6)
    linear = lambda x, n, rows, cols: F.linear(x, w[n + ".weight"][:rows, :cols], w[n + ".bias"][:rows])
    x = F.conv2d(images, w["patch_embed.proj.weight"][:p], w["patch_embed.proj.bias"][:p], stride=PATCH).flatten(2).transpose(1, 2)
    x = torch.cat([w["cls_token"][..., :p].expand(len(images), -1, -1), x], 1) + w["pos_embed"][..., :p]
    for i in range(DEPTH):
        b = f"blocks.{i}."
        thirds = [slice(j * WIDTH, j * WIDTH + p) for j in range(3)]  # the first p rows of q, of k and of v
        y = norm(x, b + "norm1")
        q, k, v = [F.linear(y, w[b + "attn.qkv.weight"][t, :p], w[b + "attn.qkv.bias"][t])
                   .reshape(len(x), TOKENS, heads, HEAD_DIM).transpose(1, 2) for t in thirds]
        y = (q @ k.transpose(-2, -1) / HEAD_DIM ** 0.5).softmax(-1) @ v
        x = x + linear(y.transpose(1, 2).reshape(len(x), TOKENS, p), b + "attn.proj", p, p)
        x = x + linear(F.gelu(linear(norm(x, b + "norm2"), b + "mlp.fc1", RATIO * p, p)), b + "mlp.fc2", p, RATIO * p)
    return F.linear(norm(x[:, 0], "norm"), w["head.weight"][:, :p], w["head.bias"])


def packed(name, value):
    """[q; k; v] rows to (head, {q, k, v}, head_dim)."""
    if "attn.qkv" not in name:
        return value
    return value.reshape(3, HEADS, HEAD_DIM, -1).transpose(0, 1).reshape(value.shape)


def live(name, value, p):
    """The leading rectangle at width p; the rest must be 0."""
    part = value
    for d, size in enumerate(value.shape):
        if size % WIDTH == 0 and not (name.startswith("head.") and d == 0):
            part = part.narrow(d, 0, size * p // WIDTH)
    assert (part != 0).sum() == (value != 0).sum(), name
    return part


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    draw = lambda shape, scale: (scale * torch.randn(shape)).double()  # drawn as float
    weights = {}
    for name, shape in shapes():
        gain = name.endswith("weight") and len(shape) == 1
        value = draw(shape, 0.2)
        weights[name] = (value + 1).float().double() if gain else value
        weights[name].requires_grad_()
    images, labels = draw((BATCH, CHANNELS, IMAGE, IMAGE), 1.0), torch.randint(0, CLASSES, (BATCH,))
    loss_of = lambda logits: F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)

    out = open(pathlib.Path(__file__).with_name("small_hydravit.bin"), "wb")
    out.write(b"hydravit parity fixture 1\n")

    def record(name, values):
        values = torch.as_tensor(values).detach()
        out.write(" ".join([name, *map(str, values.shape)]).encode() + b"\n")
        flat = values.flatten().tolist()
        out.write(struct.pack(f"<{len(flat)}f", *flat))

    record("config", [IMAGE, PATCH, CHANNELS, DEPTH, HEAD_DIM, HEADS_MIN, HEADS, RATIO, CLASSES])
    record("options", [SMOOTHING, LR, DECAY])
    record("images", images)
    record("labels", labels)
    for name, value in weights.items():
        record("weight." + name, packed(name, value))
    for heads in range(HEADS_MIN, HEADS + 1):
        logits = forward(weights, images, heads)
        loss = loss_of(logits)
        record(f"logits.{heads}", logits)
        record(f"loss.{heads}", loss)
        gradients = torch.autograd.grad(loss, list(weights.values()))
        for name, gradient in zip(weights, gradients):
            record(f"grad.{heads}.{name}", live(name, packed(name, gradient), heads * HEAD_DIM))

    # timm's rule: no decay for vectors, positions and the CLS token. Unused rows keep a zero gradient: decay and momentum go on.
    decays = lambda name: weights[name].ndim >= 2 and name not in ("cls_token", "pos_embed")
    optimizer = torch.optim.AdamW([{"params": [weights[n] for n in weights if decays(n)], "weight_decay": DECAY},
                                   {"params": [weights[n] for n in weights if not decays(n)], "weight_decay": 0.0}], lr=LR)
    losses = []
    for heads in STEPS:
        loss = loss_of(forward(weights, images, heads))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    record("adamw.heads", STEPS)
    record("adamw.losses", losses)
    out.write(b"end\n")


if __name__ == "__main__":
    main()
