#!/usr/bin/env python3
"""Compares `offline_files --two-way` with unison and `rclone bisync` on the same trees.

    cargo build --release -p offline_files
    python3 benches/mirror/two_way.py [--rounds N] [--scratch DIR] [--program PATH] [--quick]

In each round every tool synchronizes a tree of 10,000 files with an empty directory (first), again without changes (unchanged), after
50 files have new contents on each side (changed), and after the directory with all files has a new name on one side (renamed). The tree
and the changes come from a fixed seed. The tools take turns in another order in each round. After each job, the script compares both sides
and ends if they differ.

It prints the medians of the wall time, of the processor time (user and system) and of the peak memory (of the largest process, measured by
GNU time; 0 without it), and for `renamed` the size of the files whose inode numbers the other side did not have before. unison gets `-times
-perms -1`, so that it carries what the others carry; rclone gets `--resync` for the first job and `--force` for the last one, which it
refuses otherwise. The scratch directory must not be in memory.
"""

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from timed import timed

SEED = 20001127
SIZE = 4096
ROOT = Path(__file__).resolve().parents[2]
JOBS = ["first", "unchanged", "changed", "renamed"]


def main():
    options = parse_options()
    tools = {name: tool for name, tool in commands(options).items() if shutil.which(tool("a", "b", "first", "x")[0][0])}
    samples = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="two-way-bench-", dir=options.scratch) as scratch:
        source = Path(scratch) / "source"
        make_tree(source, *((5, 20) if options.quick else (100, 100)))
        names = list(tools)
        for number in range(options.rounds):
            for name in names[number % len(names):] + names[:number % len(names)]:
                # Nothing is removed before the end: ext4 is slow where inodes were removed recently.
                run_all(name, tools[name], source, Path(scratch) / f"{number}-{name}", number, samples)
    print_table(list(tools), samples)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds to run (default: 5)")
    parser.add_argument("--scratch", help="working directory (default: the system's temporary directory)")
    parser.add_argument("--quick", action="store_true", help="use a small tree, as a check of the script")
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/offline_files", help="the build to measure")
    return parser.parse_args()


def commands(options):
    """Each tool as a function that returns its command and its environment."""

    def ours(a, b, _, state):
        return [str(options.program), "--two-way", "--json", a, b], {"XDG_STATE_HOME": state}

    def unison(a, b, _, state):
        flags = ["-ui", "text", "-batch", "-auto", "-times", "-perms", "-1", "-silent", "-contactquietly"]
        return ["unison", a, b, *flags], {"UNISON": state}

    def rclone(a, b, job, state):
        flags = {"first": ["--resync"], "renamed": ["--force"]}.get(job, [])
        return ["rclone", "bisync", a, b, "--workdir", state, "--config", "/dev/null", *flags], {}

    return {"offline_files": ours, "unison": unison, "rclone bisync": rclone}


def make_tree(root, directories, files):
    random.seed(SEED)
    for directory in range(directories):
        path = root / "all" / f"{directory:03}"
        path.mkdir(parents=True)
        for number in range(files):
            (path / f"{number:05}.txt").write_bytes(random.randbytes(SIZE))


def run_all(name, tool, source, work, number, samples):
    a, b, state = work / "a", work / "b", work / "state"
    state.mkdir(parents=True)
    shutil.copytree(source, a)
    b.mkdir()
    # A copy that is a second old is at rest: no tool has to wait for the clock of the file system.
    for job in JOBS:
        if job == "changed":
            change(a, b, number)
        if job == "renamed":
            (a / "all").rename(a / "renamed")
        known = inodes(b)
        os.sync()
        time.sleep(1.1)
        command, environment = tool(str(a), str(b), job, str(state))
        wall, processor, memory, _ = timed(command, {**os.environ, **environment})
        new = sum(1 for inode in inodes(b) if inode not in known) * SIZE
        samples[name, job].append((wall, processor, memory, new))
        check(name, job, a, b)


def change(a, b, number):
    """Gives 0.5% of the files new contents on each side."""
    random.seed(SEED + number)
    files = sorted(path.relative_to(a) for path in a.rglob("*.txt"))
    chosen = random.sample(files, max(2, len(files) // 100))
    for index, path in enumerate(chosen):
        ((a if index % 2 else b) / path).write_bytes(random.randbytes(SIZE))


def inodes(root):
    return {path.stat().st_ino for path in root.rglob("*.txt")}


def check(name, job, a, b):
    def contents(root):
        return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    if contents(a) != contents(b):
        sys.exit(f"{name}, {job}: the sides differ")


def print_table(names, samples):
    print("| job | tool | wall | ours to it | processor | peak memory | new files |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for job in JOBS:
        medians = {name: [statistics.median(column) for column in zip(*samples[name, job])] for name in names}
        for name in names:
            wall, processor, memory, new = medians[name]
            copied = f"{new // 1024:.0f} KiB" if job == "renamed" else "-"
            ratio = f"{medians[names[0]][0] / wall:.2f}" if name != names[0] else ""
            print(f"| {job} | {name} | {wall:.3f} s | {ratio} | {processor:.3f} s | {memory:.0f} MiB | {copied} |")


if __name__ == "__main__":
    main()
