"""Mutants of core/ and nn/: plants small defects, one at a time, and checks whether the tests of `make test` fail.

  python3 tests/mutants/mutate.py [--count 100] [--part 1/1] [--only REGEX] [--again] [--list]     make check-mutants

A line of code is drawn, each with the same chance, and one small change of it (an operator, a constant, a swapped argument, a deleted
statement). The draw is a hash of the line's text, so an edit of one line leaves the other mutants as they are. Each mutant is built in a
copy under build/mutants/ (only what depends on it) and tested until a test fails. Each verdict is a line of build/mutants/results.tsv, so
a stopped campaign continues when it is started again. --part 1/2 and --part 2/2 run side by side. --only takes the mutants whose id or path
matches, for code that has changed, or for a processor without the units that others need. A mutant that does not compile is replaced by
the next one. tests/mutants/equivalent.tsv lists the mutants that change nothing observable, each with its reason.
"""
import argparse
import glob
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
HOME = os.path.join(ROOT, "build", "mutants")
RESULTS = os.path.join(HOME, "results.tsv")
EQUIVALENT = os.path.join(ROOT, "tests", "mutants", "equivalent.tsv")

# What is run, the quickest killers first; the rest of `make test` trains and runs models as these do.
HEAVY = "large shapes*,every preset*"
STEPS = [("build/release/tests/core", [f"-tce={HEAVY}"]),
         ("build/release/tests/core", [f"-tc={HEAVY}"]),
         ("build/release/tests/all", ["-sf=*test_parity*,*test_train*,*test_overfit*,*test_costs*"])]
CPU_SECONDS, WALL_SECONDS = 60, 7200  # the slowest step takes 12 seconds of processor time; it may be paused from outside

SWAPS = [(" + ", " - "), (" < ", " <= "), (" > ", " >= "), (" == ", " != "), (" && ", " || "), (" += ", " -= "), ("true", "false"),
         ("std::min", "std::max")]


def blanked(text):
    """The code alone: comments, texts and preprocessor lines become spaces, so that places stay the same."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*(?:#(?:\\\n|[^\n])*|static_assert[^\n]*|using [^\n]*)'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S | re.M)


def changes(line):
    """Every mutant of one line of blanked code, as (begin, end, new text)."""
    found = []
    for one, other in SWAPS:
        for old, new in ((one, other), (other, one)):
            found += [(m.start(), m.end(), new) for m in re.finditer(r"\b" * old[0].isalpha() + re.escape(old) + r"\b" * old[-1].isalpha(), line)]
    found += [(m.start(), m.end(), str(int(m.group()) + 1)) for m in re.finditer(r"(?<![\w.])\d+(?![\w.])", line)]
    found += [(m.start(), m.end(), str(float(m.group()) + 1)) for m in re.finditer(r"(?<![\w.])\d+\.\d+(?![\w.])", line)]
    word = r"[\w.:\[\]]+(?:->[\w.]+)*(?:\(\))?"
    found += [(m.start(1), m.end(2), f"{m.group(2)}, {m.group(1)}") for m in re.finditer(rf"(?<=\()({word}), ({word})(?=[,)])", line)
              if m.group(1) != m.group(2)]
    statement = re.fullmatch(r"(\s*)((?!return\b|break\b|continue\b|case\b)\*?[\w.:\[\]]+(?:->[\w.]+)*(?:\(| [-+*/|&]?= ).*);\s*", line)
    if statement and line.count("(") == line.count(")") and line.count("{") == line.count("}"):
        found.append((len(statement.group(1)), statement.end(2), ""))
    return found


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def mutants(seed):
    """One mutant of every line that has one, in the order of the draw."""
    drawn = []
    for path in sorted(glob.glob("core/**/*.*", root_dir=ROOT, recursive=True) + glob.glob("nn/*.*", root_dir=ROOT)):
        if not path.endswith((".cpp", ".h")):
            continue
        with open(os.path.join(ROOT, path)) as file:
            text = file.read()
        seen = {}
        for number, (line, code) in enumerate(zip(text.split("\n"), blanked(text).split("\n"))):
            seen[line] = seen.get(line, 0) + 1
            key = digest(str(seed), path, line, str(seen[line]))
            found = sorted(changes(code), key=lambda c: digest(key, str(c)))
            if found:
                begin, end, new = found[0]
                drawn.append({"id": key[:10], "path": path, "line": number, "old": line.strip(), "text": line[:begin] + new + line[end:]})
    return sorted(drawn, key=lambda m: m["id"])


def rows(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(folder, command, limit=None):
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    environment.pop("HYDRAVIT_BINARY", None)
    return subprocess.run(command, cwd=folder, env=environment, preexec_fn=limit, timeout=WALL_SECONDS, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, errors="replace")


def build(folder, program):
    make = run(folder, ["make", "-s", "WARN=-w", "OPT=-O1 -g0", program])
    return make.stdout if make.returncode else ""


def synchronise(source, folder, skip=()):
    """Makes `folder` equal to `source`, times and all."""
    os.makedirs(folder, exist_ok=True)
    theirs = {e.name: e for e in os.scandir(source) if e.name not in skip}
    for entry in os.scandir(folder):
        if entry.name not in theirs:
            shutil.rmtree(entry.path) if entry.is_dir() else os.remove(entry.path)
    for name, entry in theirs.items():
        to = os.path.join(folder, name)
        if entry.is_dir():
            synchronise(entry.path, to)
        elif not os.path.exists(to) or any(getattr(os.stat(to), field) != getattr(entry.stat(), field) for field in ("st_size", "st_mtime_ns")):
            shutil.copy2(entry.path, to)


def pristine_copy(folder):
    """The sources as they are here, and the objects of build/release: only what a mutant touches is built again."""
    synchronise(ROOT, folder, (".git", "build", "runs", "datasets"))
    synchronise(os.path.join(ROOT, "build", "release"), os.path.join(folder, "build", "release"), ("hydravit", "check-hostile"))


def verdict(pristine, folder, mutant):
    synchronise(pristine, folder)
    if mutant:
        path = os.path.join(folder, mutant["path"])
        with open(path) as file:
            lines = file.read().split("\n")
        lines[mutant["line"]] = mutant["text"]
        with open(path, "w") as file:
            file.write("\n".join(lines))
    for program, arguments in STEPS:
        error = build(folder, program)
        if error:
            return "does not build", error.strip().split("\n")[0]
        try:
            test = run(folder, [program, "-aa=1", "-nc", *arguments], limits)
        except subprocess.TimeoutExpired:
            return "killed", "it hangs"
        if test.returncode:
            names = re.findall(r"TEST CASE: +(.*)", test.stdout)
            return "killed", names[-1] if names else f"exit {test.returncode}"
    # `make test` builds with all warnings as errors, and with optimisation they see more.
    if mutant and mutant["path"].endswith(".cpp"):
        stem = "build/release/" + mutant["path"][:-4]
        objects = [stem + ".v4.o"] if "/simd/" in stem else [stem + ".o"]
        if run(folder, ["make", "-s", "-W", mutant["path"], *objects]).returncode:
            return "killed", "the compiler warns"
    return "survived", ""


def wanted(drawn, known, count, only=""):
    """The campaign: the first mutants drawn, without those known not to build."""
    chosen = [m for m in drawn if known.get(m["id"]) != "does not build"][:count]
    return [m for m in chosen if re.search(only, f"{m['id']} {m['path']}")]


def report(drawn, count, only):
    latest = {row[0]: row for row in rows(RESULTS)}
    reasons = {row[0] for row in rows(EQUIVALENT)}
    chosen = [m["id"] for m in wanted(drawn, {key: row[1] for key, row in latest.items()}, count, only)]
    tried = [key for key in chosen if key in latest]
    killed = [key for key in tried if latest[key][1] == "killed"]
    alive = [key for key in tried if key not in killed and key not in reasons]
    for key in alive:
        print("survived: " + "  ".join(latest[key][:1] + latest[key][2:5]))
    same = len(tried) - len(killed) - len(alive)
    share = 100 * len(killed) / max(1, len(killed) + len(alive))
    print(f"{len(tried)} mutants: {len(killed)} killed, {same} equivalent, {len(alive)} survived: {share:.1f} % killed")
    return 0 if len(tried) == len(chosen) and share >= 90 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", default="1/1", help="one of several runs side by side, as 1/2")
    parser.add_argument("--only", default="", metavar="REGEX", help="of the mutants drawn, those whose id or path it fits")
    parser.add_argument("--again", action="store_true", help="try those that survived once more, after a test was strengthened")
    parser.add_argument("--list", action="store_true", help="only show the mutants drawn")
    parser.add_argument("--report", action="store_true", help="only show the figures so far")
    args = parser.parse_args()
    drawn = mutants(args.seed)
    if args.report:
        return report(drawn, args.count, args.only)
    if args.list:
        for m in wanted(drawn, {}, args.count, args.only):
            print(f"{m['id']} {m['path']}:{m['line'] + 1}\n  - {m['old']}\n  + {m['text'].strip()}")
        return 0
    part, parts = (int(number) for number in args.part.split("/"))
    pristine, folder = os.path.join(HOME, f"pristine{part}"), os.path.join(HOME, f"work{part}")
    pristine_copy(pristine)
    for program in sorted({program for program, _ in STEPS}):
        error = build(pristine, program)
        if error:
            sys.exit(f"mutants: the tests themselves do not build: {error}")
    if not rows(RESULTS):
        what, why = verdict(pristine, folder, None)
        if what != "survived":
            sys.exit(f"mutants: the tests fail without any mutant: {why}")
    reasons = {row[0] for row in rows(EQUIVALENT)}
    latest = {row[0]: row[1] for row in rows(RESULTS)}
    retry = {key for key, what in latest.items() if what == "survived"} - reasons if args.again else set()
    while True:
        known = {row[0]: row[1] for row in rows(RESULTS) if row[0] not in retry}
        todo = [m for m in wanted(drawn, known, args.count, args.only) if m["id"] not in known and int(m["id"], 16) % parts == part - 1]
        if not todo:
            return report(drawn, args.count, args.only)
        mutant = min(todo, key=lambda m: m["path"].endswith(".h"))  # headers last: nearly everything depends on them
        what, why = verdict(pristine, folder, mutant)
        retry.discard(mutant["id"])
        row = [mutant["id"], what, f"{mutant['path']}:{mutant['line'] + 1}", mutant["old"], mutant["text"].strip(), why]
        with open(RESULTS, "a") as file:
            file.write("\t".join(row) + "\n")
        print("  ".join(row), flush=True)


if __name__ == "__main__":
    sys.exit(main())
