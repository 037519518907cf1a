#!/usr/bin/env python3
"""Prints the bench `session` as a table: this build, an earlier one, and the baseline.

    python3 benches/session/compare.py [--before PROGRAM] [--rounds N]

Builds the bench, and runs it in turns with PROGRAM, the same bench of an earlier build. The time of a row is that of the fastest
session in all rounds. Ratios are to the `JoinSet` of the same program. Allocations are those of one session.
"""

import argparse
import json
import os
import re
import subprocess
from collections import defaultdict

ITEMS = 100_000
BASELINE = "one_thread_suspends/join_set/100000"
ROWS = {
    BASELINE: "`JoinSet`",
    "one_thread_suspends/session/100000": "the listing created before",
    "one_thread_suspends/session_watched/100000": "the same, every event read",
    "paths/listing_kept": "the listing kept between sessions",
    "paths/listing_made_anew": "the listing made anew in each session",
    "paths/listing_only": "of that, making the listing alone",
    "paths/claim_each": "a claim of capacity 64 for each item",
    "paths/a_thousand_handlers": "1,000 handlers of 100 items",
    "paths/all_fail": "all items fail",
    "paths/stored": "with an SQLite store",
}
UNITS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", help="the bench program of an earlier build")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    programs = [program for program in [options.before, build()] if program]
    figures = {program: defaultdict(list) for program in programs}
    for _ in range(options.rounds):
        for program in programs:
            for row, figure in measure(program):
                figures[program][row].append(figure)
    print("| 100,000 items |" + " ns per item | ratio | allocations per item |" * len(programs))
    print("|---|" + "---:|---:|---:|" * len(programs))
    for row, label in ROWS.items():
        print(f"| {label} |" + "".join(cells(figures[program], row) for program in programs))


def build():
    command = ["cargo", "bench", "--no-run", "--bench", "session", "--message-format=json"]
    messages = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [message["executable"] for message in map(json.loads, messages) if message.get("executable")][-1]


def measure(program):
    """Returns the time and the allocations of each row, in one run of a program."""
    command = [program, "--bench", "suspends", "paths", "--skip", "two_threads", "--max-time", "3"]
    environment = {**os.environ, "RUST_BACKTRACE": "0"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return parse(output.splitlines())


def parse(lines):
    path, row, is_count, found = [], None, False, {}
    for line in lines:
        if name := re.match(r"^([│ ]*)[├╰]─ (\S+)", line):
            path = [*path[: len(name[1]) // 3], name[2]]
            row = "/".join(path)
            if time := re.search(r"([\d.]+) (ns|µs|ms|s) +│", line):
                found[row] = [float(time[1]) * UNITS[time[2]], 0.0]
        elif is_count and (count := re.search(r"(\d[\d.]*) +│", line)):
            found[row][1] += float(count[1])
        is_count = bool(re.search(r"[│ ](alloc|grow):", line))
    return found.items()


def cells(figures, row):
    time, allocations = min(time for time, _ in figures[row]), figures[row][0][1]
    ratio = time / min(time for time, _ in figures[BASELINE])
    return f" {time / ITEMS:,.0f} | {ratio:.2f} | {allocations / ITEMS:.1f} |"


if __name__ == "__main__":
    main()
