#!/usr/bin/env python3
"""Compares the update of one large file by `offline_files --two-way` and by rsync, on a file system that shares no blocks.

    cargo build --release -p offline_files
    python3 benches/mirror/in_place.py [--rounds N] [--scratch DIR] [--program PATH] [--size MIB]

One folder has a file, and each tool its own copy of the folder. In each round and for each job, the file changes, and every tool updates its
copy. The jobs: 1% of the file in aligned blocks of 64 KiB (blocks), 1% in pages of 4 KiB (pages), and one page of seven, evenly over the
whole file, which is just too much for an update in place (too much). The changes come from a fixed seed. The tools take turns in another
order in each round. After each job, the script compares the file with each copy and ends if they differ.

It prints the medians of the wall time, of the processor time (user and system), of the peak memory (of the largest process, measured by GNU
time), and of the bytes that the processes wrote, which is the number of blocks that the system counts for them (0 without GNU time).
`rsync delta` is `rsync -a --inplace --no-whole-file`, `rsync` is `rsync -a`. The scratch directory must not be in memory.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from timed import timed

SEED = 20001127
MIB = 1024 * 1024
PAGE = 4096
BLOCK = 65536
ROOT = Path(__file__).resolve().parents[2]
JOBS = ["blocks", "pages", "too much"]
NAME = "all/large"


def main():
    options = parse_options()
    random.seed(SEED)
    samples = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="in-place-bench-", dir=options.scratch) as scratch:
        scratch = Path(scratch)
        source = scratch / "source"
        make(source / NAME, options.size)
        tools = commands(options, scratch, source)
        for name, (command, _) in tools.items():
            (scratch / name).mkdir()
            subprocess.run(command, env=environment(scratch), stdout=subprocess.DEVNULL, check=True)
        # rsync does not see a change of the same second.
        time.sleep(1.1)
        for number in range(options.rounds):
            for job in JOBS:
                change(source / NAME, job, options.size * MIB)
                os.sync()
                time.sleep(1.1)
                names = list(tools)
                for name in names[number % len(names):] + names[:number % len(names)]:
                    command, later = tools[name]
                    samples[name, job].append(timed(later, environment(scratch)))
                    check(name, job, source / NAME, scratch / name / NAME)
                    os.sync()
    print_table(list(tools), samples)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds to run (default: 5)")
    parser.add_argument("--scratch", help="working directory (default: the system's temporary directory)")
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/offline_files", help="the build to measure")
    parser.add_argument("--size", type=int, default=1024, help="size of the file in MiB (default: 1024)")
    return parser.parse_args()


def commands(options, scratch, source):
    """The commands of each tool for the first copy and for an update."""

    def both(name, *words):
        return name, [*words, f"{source}/", f"{scratch / name}/"]

    ours = both("offline_files", str(options.program), "--two-way", "--json")
    delta = both("rsync delta", "rsync", "-a", "--inplace", "--no-whole-file")
    whole = both("rsync", "rsync", "-a")
    return {name: (command, command) for name, command in (ours, delta, whole)}


def environment(scratch):
    return {**os.environ, "XDG_STATE_HOME": str(scratch / "state")}


def make(path, size):
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for _ in range(size):
            file.write(random.randbytes(MIB))


def change(path, job, size):
    with path.open("r+b") as file:
        if job == "too much":
            offsets, length = range(0, size, 7 * PAGE), PAGE
        else:
            length = BLOCK if job == "blocks" else PAGE
            offsets = [index * length for index in random.sample(range(size // length), size // 100 // length)]
        for offset in offsets:
            file.seek(offset)
            file.write(random.randbytes(length))


def check(name, job, one, other):
    if subprocess.run(["cmp", "-s", one, other]).returncode:
        sys.exit(f"{name}, {job}: the files differ")


def print_table(names, samples):
    print("| job | tool | wall | ratio | processor | peak memory | written |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for job in JOBS:
        medians = {name: [statistics.median(column) for column in zip(*samples[name, job])] for name in names}
        for name in names:
            wall, processor, memory, written = medians[name]
            ratio = f"{medians[names[0]][0] / wall:.2f}" if name != names[0] else ""
            print(f"| {job} | {name} | {wall:.2f} s | {ratio} | {processor:.2f} s | {memory:.0f} MiB | {written:.0f} MiB |")


if __name__ == "__main__":
    main()
