"""Ours against PyTorch, width by width, in turn in one run, so that a machine whose speed drifts is fair to all.

  python3 tests/bench/compare.py [--presets cifar] [--heads 3,5,8] [--steps 5] [--threads 2] [--python /usr/bin/python3]

Each row: images/s of this program in training and inference, its efficiency (see `hydravit bench --detail`), and images/s of PyTorch eager
and torch.compile, both with the fused attention of PyTorch 2. The ratio is to the faster of the two. PyTorch's bf16 is autocast.
If the interpreter named by --python has no torch, PyTorch's columns stay empty; without torch.compile (PyTorch 1), one of them.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "..", "..", "build", "release", "hydravit")
WIDTHS = {"nano": "2,3,4,5,6", "cifar": "3,4,5,6,7,8", "deit": "3,6,12"}
BATCH = {"nano": 128, "cifar": 128, "deit": 16}


def run(command):
    """The JSON that a benchmark prints, or nothing if it cannot run."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout) if done.returncode == 0 else None


def cell(result, scale=1):
    return f"{result['results'][0]['images_per_second'] * scale:8.0f}" if result else "       -"


def best(results):
    return max((r["results"][0]["images_per_second"] for r in results if r), default=None)


def table(args, preset, batch, mode, precision, has_torch):
    name = f"{preset}, {'one image' if batch == 1 else f'batch {batch}'}, {'training' if mode == 'train' else 'inference'}, {precision}"
    print(f"\n{name}; images/s\n\n| heads | ours | efficiency | PyTorch eager | compile | ours / best |\n|--:|--:|--:|--:|--:|--:|", flush=True)
    memory = {}
    for heads in (args.heads or WIDTHS[preset]).split(","):
        common = ["--preset", preset, "--batch-size", str(batch), "--mode", mode, "--threads", str(args.threads), "--heads", heads,
                  "--steps", str(args.steps * (10 if batch == 1 else 1)), "--precision", precision]
        peer = [args.python, os.path.join(HERE, "torch_peer.py"), *common]
        results = {"ours": run([PROGRAM, "bench", "--json", *common]), "eager": None, "compile": None}
        if not results["ours"]:
            sys.exit("compare.py: failed: " + " ".join([PROGRAM, "bench", *common]))
        if results["ours"]["precision"] != precision:
            print("\nleft out: this processor has no bf16 units, and autocast without them takes some ten times as long as fp32")
            return
        if has_torch:
            results["eager"], results["compile"] = run(peer), run([*peer, "--compile"])
        ours, peers = results["ours"]["results"][0], best([results["eager"], results["compile"]])
        ratio = f"{ours['images_per_second'] / peers:10.2f}x" if peers else "          -"
        print(f"| {heads:>5} | {cell(results['ours'])} | {ours['efficiency']:10.2f} | {cell(results['eager'])} | {cell(results['compile'])} "
              f"| {ratio} |", flush=True)
        for kind, result in results.items():
            if result:
                memory[kind] = max(memory.get(kind, 0), result["peak_rss_mib"])
    print("\npeak memory: " + ", ".join(f"{kind} {mib:.0f} MiB" for kind, mib in memory.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", default="nano,cifar,deit")
    parser.add_argument("--heads", help="widths of every preset; default: all, of deit 3, 6 and 12")
    parser.add_argument("--modes", default="train,infer,latency")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    version = subprocess.run([args.python, "-c", "import torch; print(torch.__version__)"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    has_torch = version.returncode == 0
    print(f"{args.threads} threads; PyTorch {version.stdout.decode().strip() if has_torch else 'is not installed: its columns stay empty'}")
    for preset in args.presets.split(","):
        for mode in args.modes.split(","):
            for precision in args.precisions.split(","):
                if mode == "latency":
                    table(args, preset, 1, "infer", precision, has_torch)
                else:
                    table(args, preset, BATCH[preset], mode, precision, has_torch)


if __name__ == "__main__":
    main()
