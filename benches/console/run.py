#!/usr/bin/env python3
"""Measures the program `syncmgr`: its size, the memory of an idle host, and the time to the first answer.

    cargo build --profile dist -p syncmgr-console
    python3 benches/console/run.py [--program PATH] [--rounds N] [--idle SECONDS] [--scratch DIR]

- The size is that of a stripped copy, made with `strip`.
- The memory is the resident memory of a host that has run its items once and then idled: one pair with 100 folders, which are 100
  items, watched; the same without a watch; and 100 pairs of one folder each. `file` is the part of it that is mapped from files,
  such as the program itself, which processes share.
- The time of a command is that from its start to its end, with a running host of 100 items. The time of a host is that from its
  start to its first answer on the socket, with a state of 100 items. `systemctl --user status` is the baseline, if a user manager
  runs; `true` is the time to start any program.

Each time is the median of the rounds, with the longest one in brackets. The script prints one table.
"""

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ITEMS = 100
MIB = 1024 * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--program", type=Path, default=target / "dist/syncmgr")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--idle", type=float, default=5, help="the seconds before the memory is read")
    parser.add_argument("--scratch", help="the directory for temporary files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        scratch = Path(scratch)
        program = scratch / "syncmgr"
        shutil.copy(args.program, program)
        subprocess.run(["strip", program], check=True)
        print("| figure | value |\n| --- | ---: |")
        row("size, stripped", f"{program.stat().st_size / MIB:.1f} MiB")
        places = {
            f"one pair of {ITEMS} folders, watched": Place(scratch / "watched", program, 1, "watch = true"),
            f"one pair of {ITEMS} folders": Place(scratch / "one", program, 1, ""),
            f"{ITEMS} pairs of one folder": Place(scratch / "many", program, ITEMS, ""),
        }
        for name, place in places.items():
            resident, mapped = place.idle_memory(args.idle)
            row(f"idle host, {name}", f"{resident:.1f} MiB (file {mapped:.1f})")
        measure_times(places, args.rounds)


def row(name, value):
    print(f"| {name} | {value} |", flush=True)


def measure_times(places, rounds):
    for name, place in places.items():
        row(f"host to its first answer, {name}", milliseconds([place.time_to_answer() for _ in range(rounds)]))
    place = list(places.values())[1]
    with place.host():
        for command in ["status", "--version"]:
            row(f"syncmgr {command}", milliseconds([wall(place.client(command)) for _ in range(rounds)]))
    row("true", milliseconds([wall(["true"]) for _ in range(rounds)]))
    systemctl = ["systemctl", "--user", "status", "--no-pager"]
    if shutil.which("systemctl") and subprocess.run(systemctl, capture_output=True).returncode == 0:
        row("systemctl --user status", milliseconds([wall(systemctl) for _ in range(rounds)]))
    else:
        row("systemctl --user status", "no user manager runs here")


def milliseconds(times):
    return f"{statistics.median(times) * 1000:.1f} ms ({max(times) * 1000:.1f})"


def wall(command):
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


class Place:
    """A directory with folder pairs, a settings file, and a state in which all items have run."""

    def __init__(self, path, program, pairs, lines):
        self.path, self.program = path, program
        self.socket = path / "run/bench.sock"
        settings = [f'state = "{path}/state/state.sqlite"', f'socket = "{self.socket}"']
        for pair in range(pairs):
            for folder in range(ITEMS // pairs):
                (path / f"from-{pair}/folder-{folder}").mkdir(parents=True)
                (path / f"from-{pair}/folder-{folder}/file").write_text("contents")
            settings += ["[[folder]]", f'name = "pair-{pair}"', f'from = "from-{pair}"', f'to = "to-{pair}"', lines]
        (path / "host.toml").write_text("\n".join(settings))

    def client(self, *args):
        return [self.program, "--socket", self.socket, *args]

    def host(self):
        return Host(self)

    def idle_memory(self, seconds):
        """Returns the resident memory in MiB, and the part that is mapped from files."""
        with self.host() as host:
            subprocess.run(self.client("run"), stdout=subprocess.DEVNULL, check=True)
            time.sleep(seconds)
            status = Path(f"/proc/{host.process.pid}/status").read_text().splitlines()
            fields = dict(line.split(":", 1) for line in status)
            return [int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssFile")]

    def time_to_answer(self):
        with self.host() as host:
            return host.seconds


class Host:
    """A running host that has answered once."""

    def __init__(self, place):
        self.place = place

    def __enter__(self):
        start = time.perf_counter()
        command = [self.place.program, "host", "--config", self.place.path / "host.toml"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self.answers():
            if self.process.poll() is not None:
                sys.exit(f"the host ended with {self.process.returncode}")
            time.sleep(0.0005)
        self.seconds = time.perf_counter() - start
        return self

    def answers(self):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.place.socket))
            except OSError:
                return False
            connection.sendall(b"GET /v1/handlers HTTP/1.1\r\nhost: localhost\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


if __name__ == "__main__":
    main()
