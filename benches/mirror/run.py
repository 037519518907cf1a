#!/usr/bin/env python3
"""Compares the program `offline_files` with `rsync -a` and `cp -a` on the same trees.

    cargo build --release -p offline_files
    python3 benches/mirror/run.py [--rounds N] [--scratch DIR] [--program PATH] [--quick]

Two trees are made from a fixed seed: 10,000 files of 4 KiB in 100 directories below 10, and 100 files of 10 MiB in 10
directories. In each round every tool copies each tree into a new directory (first run) and then once more over its own
copy (unchanged run); the order of the tools turns from round to round, so that none always meets the warmest cache. In
the first round every copy is compared with its origin.

`offline_files` runs three times: as it is, with a state, which the first run makes and the unchanged run uses; with `--full`,
so that the unchanged run compares everything and makes the state anew; and with `--no-state`, which keeps nothing.

Printed are, per tool, the median and minimum of the wall time, the median of the CPU time (user and system, of all
threads and children) and of the peak memory (of the largest process, as GNU time tells it; `-` where that is missing),
each followed by its ratio to rsync. The figures depend on the machine and on what else it does, the ratios less so; a
scratch directory on a file system of its own is quieter than a shared disk. It needs about 3 GiB.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

SEED = 20001127
MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]


def main():
    options = parse_options()
    program = options.program.resolve()
    if not program.is_file():
        sys.exit(f"{program} is missing; run: cargo build --release -p offline_files")
    if shutil.which("rsync") is None:
        sys.exit("rsync is missing; install it to have something to compare with")
    with tempfile.TemporaryDirectory(prefix="mirror-bench-", dir=options.scratch) as scratch:
        samples = measure(make_trees(Path(scratch), options.quick), tools(program), Path(scratch), options.rounds)
    for job in samples:
        print_table(job, samples[job])


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds to run (default: 7)")
    parser.add_argument("--scratch", help="where to work (default: the system's temporary directory)")
    parser.add_argument("--quick", action="store_true", help="one round on small trees, to see that it works")
    parser.add_argument("--program", type=Path, default=default_program(), help="the built program")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def default_program():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "offline_files"


def tools(program):
    """The command lines, by tool, from source and target directory and the file of the state."""
    return {
        "offline_files": lambda source, target, state: [program, "--state", state, source, target],
        "offline_files --full": lambda source, target, state: [program, "--full", "--state", state, source, target],
        "offline_files --no-state": lambda source, target, _: [program, "--no-state", source, target],
        "rsync -a": lambda source, target, _: ["rsync", "-a", f"{source}/", f"{target}/"],
        # Over an existing copy, -u is what makes cp compare at all.
        "cp -a": lambda source, target, _: ["cp", "-au", "-T", source, target],
    }


def make_trees(scratch, quick):
    """The trees, by what is in them."""
    if quick:
        return {
            "100 x 4 KiB": make_tree(scratch / "small", tops=2, inner=5, files=10, size=4096),
            "2 x 10 MiB": make_tree(scratch / "large", tops=2, inner=1, files=1, size=10 * MIB),
        }
    return {
        "10,000 x 4 KiB": make_tree(scratch / "small", tops=10, inner=10, files=100, size=4096),
        "100 x 10 MiB": make_tree(scratch / "large", tops=10, inner=1, files=10, size=10 * MIB),
    }


def make_tree(root, tops, inner, files, size):
    """Fills `root` with random files; the same ones every time."""
    generator = random.Random(SEED)
    for top in range(tops):
        for number in range(inner):
            directory = root / f"top-{top:02}" / f"inner-{number:02}"
            directory.mkdir(parents=True)
            for file in range(files):
                (directory / f"file-{file:03}").write_bytes(generator.randbytes(size))
    return root


def measure(trees, commands, scratch, rounds):
    """Runs everything; returns the samples by job, then by tool."""
    samples = defaultdict(lambda: defaultdict(list))
    names = list(commands)
    for turn in range(rounds):
        for tree, source in trees.items():
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                target, state = scratch / "copy", scratch / "state"
                command = commands[name](source, target, state / "of-pair.db")
                settle()
                samples[f"{tree}, first run"][name].append(run(command))
                settle()
                samples[f"{tree}, unchanged"][name].append(run(command))
                if turn == 0:
                    check_equal(source, target)
                shutil.rmtree(target)
                shutil.rmtree(state, ignore_errors=True)
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
    return samples


def settle():
    """Writes out what earlier runs left dirty, so that nobody pays for somebody else's copy."""
    os.sync()


def run(command):
    """Runs one command; returns wall seconds, CPU seconds and peak memory in KiB, if that is known."""
    # A child of this script would start with this script's own peak; a child of `time` does not.
    gnu_time = shutil.which("time")
    measured = [gnu_time, "--quiet", "--format", "%M", *command] if gnu_time else command
    began = time.perf_counter()
    process = subprocess.Popen(measured, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} ended with {process.returncode}: {said}")
    return wall, usage.ru_utime + usage.ru_stime, int(said[-1]) if gnu_time else None


def check_equal(source, target):
    if subprocess.run(["diff", "-r", "--no-dereference", source, target]).returncode != 0:
        sys.exit(f"{target} is no copy of {source}")


def print_table(job, samples):
    baseline = summary(samples["rsync -a"])
    print(f"\n### {job}\n")
    print("| tool | wall, median | ratio | wall, min | ratio | CPU | ratio | peak memory | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for tool, runs in samples.items():
        cells = [tool]
        for value, base, form in zip(summary(runs), baseline, ("{:.3f} s", "{:.3f} s", "{:.3f} s", "{:.1f} MiB")):
            cells += ["-", "-"] if value is None else [form.format(value), f"{value / base:.2f}"]
        print(f"| {' | '.join(cells)} |")


def summary(runs):
    """Median and minimum of the wall time, and the medians of CPU time and memory (MiB)."""
    walls, cpus, peaks = zip(*runs)
    memory = None if None in peaks else statistics.median(peaks) / 1024
    return statistics.median(walls), min(walls), statistics.median(cpus), memory


if __name__ == "__main__":
    main()
