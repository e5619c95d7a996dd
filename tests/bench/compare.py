"""Ours against PyTorch, width by width, in turn in one run, so that a machine whose speed drifts is fair to both.

  python3 tests/bench/compare.py [--rounds 3] [--threads 2] [--modes train,infer] [--python /usr/bin/python3]

--python names an interpreter that has torch. Prints the median images per second of both, the ratio, and the peak memory of both.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "..", "..", "build", "release", "hydravit")


def run(command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--heads", default="3,4,5,6,7,8")
    parser.add_argument("--modes", default="train,infer")
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    for mode in args.modes.split(","):
        speeds, memory, torch = {"ours": {}, "torch": {}}, {"ours": 0, "torch": 0}, ""
        common = ["--mode", mode, "--threads", str(args.threads), "--steps", str(args.steps)]
        for _ in range(args.rounds):
            for heads in args.heads.split(","):
                ours = run([PROGRAM, "bench", "--json", "--preset", "cifar", "--batch-size", "128", "--heads", heads, *common])
                peer = run([args.python, os.path.join(HERE, "torch_peer.py"), "--heads", heads, *common])
                torch = peer["torch"]
                for name, result in (("ours", ours), ("torch", peer)):
                    memory[name] = max(memory[name], result["peak_rss_mib"])
                    for row in result["results"]:
                        speeds[name].setdefault(row["heads"], []).append(row["images_per_second"])
        print(f"{mode}, preset cifar, batch 128, fp32, {args.threads} threads; images/s, median of {args.rounds} rounds; PyTorch {torch}")
        print(f"{'heads':>6} {'ours':>8} {'PyTorch':>8} {'ratio':>6}")
        for heads, ours in speeds["ours"].items():
            a, b = statistics.median(ours), statistics.median(speeds["torch"][heads])
            print(f"{heads:>6} {a:>8.0f} {b:>8.0f} {a / b:>5.2f}x")
        print(f"peak memory: ours {memory['ours']:.0f} MiB, PyTorch {memory['torch']:.0f} MiB, {memory['ours'] / memory['torch']:.2f}x\n", flush=True)


if __name__ == "__main__":
    main()
