#!/usr/bin/env python3
"""Prints the processor time of the dimensions of the bench `growth`, for an earlier build beside this one.

    python3 benches/growth/compare.py PROGRAM [WORD ...]

PROGRAM is the bench of the earlier build. The times are those of one operation among 1,000 and among 10,000 things, in
microseconds: the least of three processes, which run in turns. A dimension that an earlier build does not have, or for
which it takes more than two minutes, is shown as `-`. Words select the dimensions that contain one of them.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

SIZES = [1_000, 10_000]
ROUNDS = 3


def main():
    before, words = sys.argv[1], sys.argv[2:]
    programs = [before, build()]
    source = Path(__file__).with_name("main.rs").read_text()
    names = re.findall(r'^    dimension\("([^"]+)"', source, re.M)
    print("| operation |" + "".join(f" earlier, of {size:,} |" for size in SIZES) + "".join(f" of {size:,} |" for size in SIZES))
    print("|---|" + "---:|" * 2 * len(SIZES))
    for name in names:
        if not words or any(word in name for word in words):
            figures = {(program, size): [] for program in programs for size in SIZES}
            for program, size in [key for _ in range(ROUNDS) for key in figures]:
                if None not in figures[program, size]:
                    figures[program, size].append(micros(program, name, size))
            print(f"| {name} |" + "".join(f" {least(times)} |" for times in figures.values()), flush=True)


def build():
    command = ["cargo", "bench", "--no-run", "--bench", "growth", "--message-format=json"]
    messages = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [message["executable"] for message in map(json.loads, messages) if message.get("executable")][-1]


def micros(program, name, size):
    """Returns the time of one operation, or `None`."""
    command, environment = [program, "--row", name, str(size)], {**os.environ, "RUST_BACKTRACE": "0"}
    try:
        output = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    except subprocess.TimeoutExpired:
        return None
    return float(output.stdout.split()[0]) if output.returncode == 0 else None


def least(times):
    known = [time for time in times if time is not None]
    return f"{min(known):,.1f}" if known else "-"


if __name__ == "__main__":
    main()
