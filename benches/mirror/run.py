#!/usr/bin/env python3
"""Compares the program `offline_files` with `rsync -a` and `cp -a` on the same trees.

    cargo build --release -p offline_files
    python3 benches/mirror/run.py [--rounds N] [--scratch DIR] [--program PATH] [--quick]

The script generates two trees from a fixed seed: 10,000 files of 4 KiB in 10 directories with 10 subdirectories each, and
100 files of 10 MiB in 10 directories. In each round every tool copies each tree into a new directory (first run) and then
again over its own copy (unchanged run). The order of the tools rotates from round to round, so that no tool always has the
warmest cache. In the first round the script compares every copy with its source.

`offline_files` runs in three variants: the default writes a state in the first run and uses it in the unchanged run;
`--full` compares everything in the unchanged run and rewrites the state; `--no-state` stores no state.

For each tool the script prints the median and minimum of the wall time, the median of the CPU time (user and system, all
threads and children) and the median of the peak memory (of the largest process, measured by GNU time; `-` without it), each
followed by its ratio to rsync. The times depend on the machine and its load, the ratios less so. A scratch directory on its
own file system gives less noise than a shared disk. The script needs about 3 GiB.
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
        sys.exit("rsync is missing; install it, because it is the baseline")
    with tempfile.TemporaryDirectory(prefix="mirror-bench-", dir=options.scratch) as scratch:
        samples = measure(make_trees(Path(scratch), options.quick), tools(program), Path(scratch), options.rounds)
    for job in samples:
        print_table(job, samples[job])


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds to run (default: 7)")
    parser.add_argument("--scratch", help="working directory (default: the system's temporary directory)")
    parser.add_argument("--quick", action="store_true", help="run one round on small trees, as a check of the script")
    parser.add_argument("--program", type=Path, default=default_program(), help="the program to measure")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def default_program():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "offline_files"


def tools(program):
    """Returns a function per tool that builds the command line from the source, the target and the state file."""
    return {
        "offline_files": lambda source, target, state: [program, "--state", state, source, target],
        "offline_files --full": lambda source, target, state: [program, "--full", "--state", state, source, target],
        "offline_files --no-state": lambda source, target, _: [program, "--no-state", source, target],
        "rsync -a": lambda source, target, _: ["rsync", "-a", f"{source}/", f"{target}/"],
        # Without -u, cp does not compare with an existing copy.
        "cp -a": lambda source, target, _: ["cp", "-au", "-T", source, target],
    }


def make_trees(scratch, quick):
    """Creates the trees; returns their directories by description."""
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
    """Fills `root` with random files, which are the same every time."""
    generator = random.Random(SEED)
    for top in range(tops):
        for number in range(inner):
            directory = root / f"top-{top:02}" / f"inner-{number:02}"
            directory.mkdir(parents=True)
            for file in range(files):
                (directory / f"file-{file:03}").write_bytes(generator.randbytes(size))
    return root


def measure(trees, commands, scratch, rounds):
    """Runs all rounds; returns the samples by job and tool."""
    samples = defaultdict(lambda: defaultdict(list))
    names = list(commands)
    for number in range(rounds):
        for tree, source in trees.items():
            for name in names[number % len(names) :] + names[: number % len(names)]:
                target, state = scratch / "copy", scratch / "state"
                command = commands[name](source, target, state / "of-pair.db")
                settle()
                samples[f"{tree}, first run"][name].append(run(command))
                settle()
                samples[f"{tree}, unchanged"][name].append(run(command))
                if number == 0:
                    check_equal(source, target)
                shutil.rmtree(target)
                shutil.rmtree(state, ignore_errors=True)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return samples


def settle():
    """Writes all dirty pages to disk, so that no run pays for the copy of an earlier one."""
    os.sync()


def run(command):
    """Runs a command; returns wall seconds, CPU seconds, and peak memory in KiB or `None`."""
    # The peak of a direct child would include this script's own peak; that of a child of `time` does not.
    gnu_time = shutil.which("time")
    measured = [gnu_time, "--quiet", "--format", "%M", *command] if gnu_time else command
    start = time.perf_counter()
    process = subprocess.Popen(measured, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    output = process.stderr.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} ended with {process.returncode}: {output}")
    return wall, usage.ru_utime + usage.ru_stime, int(output[-1]) if gnu_time else None


def check_equal(source, target):
    if subprocess.run(["diff", "-r", "--no-dereference", source, target]).returncode != 0:
        sys.exit(f"{target} is not a copy of {source}")


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
    """Returns the median and minimum wall time, and the median CPU time and memory (MiB)."""
    walls, cpus, peaks = zip(*runs)
    memory = None if None in peaks else statistics.median(peaks) / 1024
    return statistics.median(walls), min(walls), statistics.median(cpus), memory


if __name__ == "__main__":
    main()
