"""The same HydraViT in PyTorch, for comparison: what a user would write with PyTorch alone.

Prints what `hydravit bench --json` prints: one JSON object with a row per mode and width.
Needs only torch (Debian: python3-torch); compare.py calls it.
"""
import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width, head_dim, ratio):
        super().__init__()
        self.width, self.head_dim, self.ratio = width, head_dim, ratio
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x, p):
        batch, tokens, _ = x.shape
        norm = lambda y, n: F.layer_norm(y, (p,), n.weight[:p], n.bias[:p], n.eps)
        sliced = lambda y, layer, rows, cols: F.linear(y, layer.weight[:rows, :cols], layer.bias[:rows])
        # q, k and v are blocks of rows, so a narrow subnetwork gathers a third from each.
        weight = torch.cat([self.qkv.weight[i * self.width:i * self.width + p, :p] for i in range(3)])
        bias = torch.cat([self.qkv.bias[i * self.width:i * self.width + p] for i in range(3)])
        qkv = F.linear(norm(x, self.norm1), weight, bias)
        q, k, v = qkv.reshape(batch, tokens, 3, p // self.head_dim, self.head_dim).permute(2, 0, 3, 1, 4)
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = ((q * self.head_dim ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
        x = x + sliced(y.transpose(1, 2).reshape(batch, tokens, p), self.proj, p, p)
        hidden = F.gelu(sliced(norm(x, self.norm2), self.fc1, self.ratio * p, p))
        return x + sliced(hidden, self.fc2, p, self.ratio * p)


PRESETS = {"nano": dict(depth=4, head_dim=16, heads=6), "cifar": {},
           "deit": dict(image=224, patch=16, depth=12, head_dim=64, heads=12, ratio=4, classes=1000)}


class HydraViT(nn.Module):
    def __init__(self, image=32, patch=4, depth=7, head_dim=32, heads=8, ratio=2, classes=10):
        super().__init__()
        width = heads * head_dim
        self.image, self.patch, self.head_dim, self.classes = image, patch, head_dim, classes
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos = nn.Parameter(0.02 * torch.randn(1, (image // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList(Block(width, head_dim, ratio) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, images, heads):
        p = heads * self.head_dim
        x = F.conv2d(images, self.embed.weight[:p], self.embed.bias[:p], stride=self.patch).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls[..., :p].expand(len(x), -1, -1), x], 1) + self.pos[..., :p]
        for block in self.blocks:
            x = block(x, p)
        x = F.layer_norm(x[:, 0], (p,), self.norm.weight[:p], self.norm.bias[:p], self.norm.eps)
        return F.linear(x, self.head.weight[:, :p], self.head.bias)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    parser.add_argument("--heads", default="3,4,5,6,7,8")
    parser.add_argument("--preset", choices=PRESETS, default="cifar")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16: autocast, parameters stay float32")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model; needs PyTorch 2 and a C++ compiler")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = HydraViT(**PRESETS[args.preset])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    images, labels = torch.randn(args.batch_size, 3, model.image, model.image), torch.randint(0, model.classes, (args.batch_size,))

    forward = torch.compile(model, dynamic=False) if args.compile else model
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16")

    def step(heads):
        if args.mode == "infer":
            with torch.no_grad(), autocast:
                forward(images, heads)
            return
        with autocast:
            loss = F.cross_entropy(forward(images, heads), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    rows = []
    for heads in map(int, args.heads.split(",")):
        times = []
        for i in range(3 + args.steps):
            start = time.perf_counter()
            step(heads)
            if i >= 3:
                times.append(time.perf_counter() - start)
        median = statistics.median(times)
        rows.append({"mode": args.mode, "heads": heads, "dim": heads * model.head_dim, "batch": args.batch_size,
                     "images_per_second": args.batch_size / median, "step_ms": 1e3 * median})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"torch": torch.__version__, "threads": args.threads, "peak_rss_mib": peak, "results": rows}))


if __name__ == "__main__":
    main()
