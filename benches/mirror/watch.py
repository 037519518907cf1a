#!/usr/bin/env python3
"""Measures how soon a change is on the other side: `offline_files --watch`, lsyncd and syncthing.

    cargo build --release -p offline_files
    python3 benches/mirror/watch.py [--changes N] [--stress N] [--scratch DIR] [--program PATH]

Each tool watches a tree of 1,000 files in 10 directories. Then one file at a time is replaced by a new one, at rest: after each change, the
script waits until the copy has the new contents, and then 0.3 s longer. The time from the end of the write to the copy is measured by a
look at the copy every 0.5 ms. lsyncd and syncthing, of which two programs share a folder, run with their default delays of 15 s and 10 s,
for a few changes only, and with the shortest that they have, 0 s and 1 s.

With `--stress N`, 2,000 files on A are instead written again and again while the program watches, until there were N events. Then both sides
must become equal; the script prints how long that took, and the peak memory.

It prints the median and the longest time, and the processor time (user and system, with children) and the peak memory of each tool over all
of its changes.
"""

import argparse
import os
import resource
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import syncthing

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 0.3


def main():
    options = parse_options()
    if options.stress:
        return stress(options)
    print(f"{'tool':32} {'median':>9} {'longest':>9} {'processor':>10} {'memory':>9} {'changes':>8}")
    with tempfile.TemporaryDirectory(prefix="watch-bench-", dir=options.scratch) as scratch:
        for number, (name, (command, changes)) in enumerate(commands(options).items()):
            measure(name, command, changes, Path(scratch) / str(number))


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=20, help="changes to measure (default: 20)")
    parser.add_argument("--stress", type=int, help="events of a run that writes without pause")
    parser.add_argument("--scratch", help="working directory (default: the system's temporary directory)")
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/offline_files", help="the build to measure")
    return parser.parse_args()


def commands(options):
    """Each tool: a function that returns the commands of its processes, and the number of changes."""

    def ours(*flags):
        return lambda a, b, _: [[str(options.program), *flags, "--watch", a, b]]

    def lsyncd(delay):
        return lambda a, b, _: [["lsyncd", "-nodaemon", "-delay", str(delay), "-rsync", a, b]]

    def two_syncthing(delay):
        return lambda a, b, base: syncthing.commands(base, (a, b), delay)

    few = min(3, options.changes)
    tools = {"offline_files --watch": (ours(), options.changes), "offline_files --two-way --watch": (ours("--two-way"), options.changes)}
    if shutil.which("lsyncd"):
        tools["lsyncd, delay 0 s"] = (lsyncd(0), options.changes)
        tools["lsyncd, delay 15 s (default)"] = (lsyncd(15), few)
    if shutil.which("syncthing"):
        tools["syncthing, delay 1 s"] = (two_syncthing(1), options.changes)
        tools["syncthing, delay 10 s (default)"] = (two_syncthing(10), few)
    return tools


def measure(name, command, changes, base):
    a, b = base / "a", base / "b"
    for directory in range(10):
        (a / f"d{directory}").mkdir(parents=True)
        for file in range(100):
            (a / f"d{directory}" / f"f{file}").write_bytes(b"x" * 4096)
    b.mkdir()
    environment = {**os.environ, "XDG_STATE_HOME": str(base / "state"), "HOME": str(base)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(words, env=environment, **quiet) for words in command(str(a), str(b), base)]
    try:
        wait_for(lambda: sum(len(files) for _, _, files in os.walk(b)) >= 1000, 60)
        time.sleep(2)
        times = [change(a, b, number) for number in range(changes)]
        memory = sum(peak_memory(process.pid) for process in processes)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    median, longest = statistics.median(times) * 1000, max(times) * 1000
    print(f"{name:32} {median:6.0f} ms {longest:6.0f} ms {processor:8.2f} s {memory:5.0f} MiB {changes:8}", flush=True)


def change(a, b, number):
    """Replaces one file, as editors do. Returns the time until its copy is complete."""
    name, contents = f"d{number % 10}/f{number}", f"change {number}".encode().ljust(8192, b"y")
    (a / "d0/saving").write_bytes(contents)
    os.rename(a / "d0/saving", a / name)
    began = time.perf_counter()
    wait_for(lambda: is_equal(b / name, contents), 60)
    took = time.perf_counter() - began
    time.sleep(PAUSE)
    return took


def is_equal(copy, contents):
    try:
        return copy.stat().st_size == len(contents) and copy.read_bytes() == contents
    except FileNotFoundError:
        return False


def stress(options):
    """Writes without pause while the program watches. Each write is at least three events: the file is opened, changed and closed."""
    with tempfile.TemporaryDirectory(prefix="watch-stress-", dir=options.scratch) as scratch:
        a, b = Path(scratch) / "a", Path(scratch) / "b"
        files = [Path(f"d{number % 20}/f{number}") for number in range(2000)]
        for directory in range(20):
            (a / f"d{directory}").mkdir(parents=True)
        environment = {**os.environ, "XDG_STATE_HOME": str(Path(scratch) / "state"), "HOME": scratch}
        command = [str(options.program), "--two-way", "--watch", str(a), str(b)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        events, began = 0, time.perf_counter()
        while events < options.stress:
            for file in files:
                (a / file).write_text(f"{events} {file}")
                events += 3
        wrote = time.perf_counter()
        wait_for(lambda: all((b / file).exists() and (b / file).read_text() == (a / file).read_text() for file in files), 120)
        print(f"{events} events in {wrote - began:.0f} s, equal {time.perf_counter() - wrote:.1f} s later", end=", ")
        print(f"peak memory {peak_memory(process.pid):.0f} MiB")
        process.send_signal(signal.SIGINT)
        process.wait()


def wait_for(condition, seconds):
    end = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > end:
            raise SystemExit("a change was not copied")
        time.sleep(0.0005)


def peak_memory(pid):
    """The peak memory of a process in MiB. Those that it starts have ended by now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
