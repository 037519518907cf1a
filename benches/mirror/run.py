#!/usr/bin/env python3
"""Compares the program `offline_files` with `rsync -a`, `cp -a` and rclone on the same trees.

    cargo build --release -p offline_files --bins --examples
    python3 benches/mirror/run.py [--only WORD ...] [--before PROGRAM] [--rounds N] [--scratch DIR] [--program PATH] [--quick]

The trees come from a fixed seed; `TREES` describes them. In each round every tool copies a tree into a new directory (first),
copies it again over its own copy (unchanged), and again after 1% of the files have new contents (changed). The order of the
tools is another one in each round, so that no tool always comes first or after the same one. In the first round the script compares every
copy with its source.

`offline_files` runs with a state and with `--no-state`. `--before` adds another build of it, with a state. rclone takes part if
it is installed. "raw calls" is the lower bound: the example `raw_calls` of `offline_files`, which makes the least system calls for
such a copy on two threads and does nothing to keep it safe. Without a state, it is what a mirror can reach at best; with one, an
unchanged tree needs only half of these calls.

After each tree the script prints a table: the medians of the wall time, of the CPU time (user and system, all threads and
children) and of the peak memory (of the largest process, measured by GNU time; `-` without it), each followed by its ratio to
rsync, and the ratio of the wall time to cp. The times depend on the machine and its load, the ratios less so. The scratch
directory must not be in memory, because the cost of a file system is part of the result. The script removes the copies at its
end, because ext4 is slow where inodes were removed recently; five rounds of all trees need about 80 GiB.
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
KIB = 1024
MIB = 1024 * KIB
ROOT = Path(__file__).resolve().parents[2]
JOBS = ["first", "unchanged", "changed"]

# Each tree: the number of directories at each level, the levels of a chain below each of them, the files in each directory
# at the bottom and in each directory of a chain, and their size. The second shape is for a quick check.
TREES = {
    "small files": ("10,000 x 4 KiB in 100 directories", ([10, 10], 0, 100, 4 * KIB), ([2, 5], 0, 10, 4 * KIB)),
    "large files": ("100 x 10 MiB in 10 directories", ([10], 0, 10, 10 * MIB), ([2], 0, 1, 10 * MIB)),
    "tiny files": ("200,000 x 64 bytes in 2,000 directories", ([20, 100], 0, 100, 64), ([2, 5], 0, 100, 64)),
    "one directory": ("one directory of 100,000 x 64 bytes", ([1], 0, 100_000, 64), ([1], 0, 1_000, 64)),
    "many items": ("10,000 top-level directories, 1 file each", ([10_000], 0, 1, 64), ([100], 0, 1, 64)),
    "many directories": ("50,000 directories in one, 1 file each", ([1, 50, 1_000], 0, 1, 64), ([1, 5, 20], 0, 1, 64)),
    "10 levels": ("1,000 chains of 10 levels, 1 file each", ([10, 100], 10, 1, 64), ([2, 2], 10, 1, 64)),
    "50 levels": ("200 chains of 50 levels, 1 file each", ([10, 20], 50, 1, 64), ([2, 2], 50, 1, 64)),
    "200 levels": ("50 chains of 200 levels, 1 file each", ([10, 5], 200, 1, 64), ([2, 1], 200, 1, 64)),
}


def main():
    options = parse_options()
    for program in filter(None, [options.program, options.before]):
        if not program.resolve().is_file():
            sys.exit(f"{program} is missing; run: cargo build --release -p offline_files")
    if shutil.which("rsync") is None:
        sys.exit("rsync is missing; install it, because it is the baseline")
    with tempfile.TemporaryDirectory(prefix="mirror-bench-", dir=options.scratch) as scratch:
        for name, (description, shape, quick_shape) in TREES.items():
            if options.only and name not in options.only:
                continue
            place = Path(scratch) / name.replace(" ", "-")
            source = place / "source"
            files = make_tree(source, *(quick_shape if options.quick else shape))
            samples = measure(source, files, tools(options), place, options.rounds)
            for job in JOBS:
                print_table(f"{description}, {job}" if not options.quick else f"{name} (quick), {job}", samples[job])


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds to run (default: 5)")
    parser.add_argument("--scratch", help="working directory (default: the system's temporary directory)")
    parser.add_argument("--quick", action="store_true", help="run one round on small trees, as a check of the script")
    parser.add_argument("--program", type=Path, default=default_program(), help="the program to measure")
    parser.add_argument("--before", type=Path, help="another build of the program, to compare with")
    parser.add_argument("--only", nargs="+", choices=TREES, help="measure only these trees")
    parser.add_argument("--without", nargs="+", default=[], help="leave out these tools")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def default_program():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "offline_files"


def tools(options):
    """Returns a function per tool that builds the command line from the source, the target and the state file."""
    program = options.program.resolve()
    commands = {
        "offline_files": lambda source, target, state: [program, "--state", state, source, target],
        "offline_files --no-state": lambda source, target, _: [program, "--no-state", source, target],
        "rsync -a": lambda source, target, _: ["rsync", "-a", f"{source}/", f"{target}/"],
        # Without -u, cp does not compare with an existing copy.
        "cp -a": lambda source, target, _: ["cp", "-au", "-T", source, target],
    }
    if options.before:
        before = options.before.resolve()
        commands["before"] = lambda source, target, state: [before, "--state", state, source, target]
    raw_calls = program.parent / "examples" / "raw_calls"
    if raw_calls.is_file():
        commands["raw calls"] = lambda source, target, _: [raw_calls, source, target]
    if shutil.which("rclone"):
        flags = ["--links", "--create-empty-src-dirs", "--config", os.devnull]
        commands["rclone sync"] = lambda source, target, _: ["rclone", "sync", *flags, source, target]
    return {name: command for name, command in commands.items() if name not in options.without}


def make_tree(root, levels, chain, files, size):
    """Fills `root` with random files, which are the same every time. Returns their paths."""
    generator = random.Random(SEED)
    made = []

    def fill(directory):
        for number in range(files):
            made.append(f"{directory}/file-{number:05}")
            Path(made[-1]).write_bytes(generator.randbytes(size))

    directories = [str(root)]
    for level, count in enumerate(levels):
        directories = [f"{parent}/level-{level}-{number:05}" for parent in directories for number in range(count)]
    for directory in directories:
        os.makedirs(directory)
        fill(directory)
        for level in range(chain):
            directory += f"/deep-{level:03}"
            os.mkdir(directory)
            fill(directory)
    return made


def measure(source, files, commands, scratch, rounds):
    """Runs all rounds; returns the samples by job and tool."""
    samples = defaultdict(lambda: defaultdict(list))
    for number in range(rounds):
        # The first copy after other work takes longer, whichever tool makes it.
        names = random.Random(SEED + number).sample(list(commands), len(commands))
        # A removed copy would slow down the next one: ext4 does not reuse the inodes of recently removed files.
        parent = scratch / f"round-{number}"
        parent.mkdir()
        places = {name: (parent / f"copy-{index}", parent / f"state-{index}.db") for index, name in enumerate(names)}
        for job in JOBS:
            if job == "changed":
                change(files, number)
            for name in names:
                settle()
                samples[job][name].append(run(commands[name](source, *places[name])))
                if number == 0 and job != "unchanged":
                    check_equal(source, places[name][0])
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return samples


def change(files, number):
    """Gives 1% of the files new contents of the same size, and a modification time in another second.

    Without that, rsync misses a change within the second of the last one. The directories of the files stay as they are."""
    generator = random.Random(SEED + number)
    for path in generator.sample(files, len(files) // 100 or 1):
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            file.write(generator.randbytes(min(size, 4 * KIB)))
        changed = os.stat(path).st_mtime + 2
        os.utime(path, (changed, changed))


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
    rsync, cp = summary(samples["rsync -a"]), summary(samples["cp -a"])
    print(f"\n### {job}\n")
    print("| tool | wall | of rsync | of cp | CPU | of rsync | peak memory | of rsync |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for tool, runs in samples.items():
        wall, cpu, memory = summary(runs)
        cells = [tool, f"{wall:.3f} s", f"{wall / rsync[0]:.2f}", f"{wall / cp[0]:.2f}"]
        cells += [f"{cpu:.3f} s", f"{cpu / rsync[1]:.2f}"]
        cells += ["-", "-"] if memory is None else [f"{memory:.1f} MiB", f"{memory / rsync[2]:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def summary(runs):
    """Returns the medians of wall time, CPU time and memory (MiB)."""
    walls, cpus, peaks = zip(*runs)
    memory = None if None in peaks else statistics.median(peaks) / 1024
    return statistics.median(walls), statistics.median(cpus), memory


if __name__ == "__main__":
    main()
