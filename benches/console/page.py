#!/usr/bin/env python3
"""Measures the page of the program `syncmgr` with many items in Chromium.

    cargo build --profile dist -p syncmgr-console
    target/page-tools/python/bin/python benches/console/page.py [--program PATH] [--items N] [--rounds N]

Needs Playwright for Python and the program `chromium`; `syncmgr-console/tests/page/run` installs both. A host has one pair with N
folders, which are N items, and has run them once. The script prints one table:

- The time to the first byte of each view, and to its last one, from a new connection.
- The time until a view is interactive: from the navigation to the first frame after the page follows the changes and a click on its
  last button is answered.
- The number of times that the view of the items changes in a second, while a session of all items runs.

Each time is the median of the rounds, with the longest one in brackets.
"""

import argparse
import http.client
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
VIEWS = ["/", "/items", "/items?page=50", "/items?find=99", "/log", "/agenda", "/history"]

# Counts the changes of the view, once for each task that changes it.
COUNT = """() => {
  window.changes = [];
  new MutationObserver(() => window.changes.push(performance.now())).observe(document.getElementById("live"),
    { subtree: true, childList: true, characterData: true, attributes: true });
}"""

# A function: the page's content security policy refuses to evaluate a string again.
LIVE = "() => document.getElementById('state').textContent === 'Live'"

# Resolves with the time since the navigation, once a click on the last button has reached the page and a frame is drawn.
INTERACTIVE = """() => new Promise((resolve) => {
  const button = [...document.querySelectorAll("button, a")].pop();
  button.addEventListener("click", (event) => {
    event.preventDefault();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
  });
  button.click();
})"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--program", type=Path, default=target / "dist/syncmgr")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Host(args.program, Path(scratch), args.items) as host:
        print(f"{args.items} items\n\n| figure | value |\n| --- | ---: |")
        for view in VIEWS:
            first, last = zip(*[host.bytes_of(view) for _ in range(args.rounds)])
            row(f"`{view}`, first byte", milliseconds(first))
            row(f"`{view}`, last byte", milliseconds(last))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            in_browser(browser, host, args.rounds)
            browser.close()


def in_browser(browser, host, rounds):
    page = browser.new_page()
    page.goto(host.address)
    base = page.url.rstrip("/")
    for view in VIEWS:
        times = []
        for _ in range(rounds):
            page.goto(base + view)
            page.wait_for_function(LIVE, polling="raf")
            times.append(page.evaluate(INTERACTIVE) / 1000)
        row(f"`{view}`, interactive", milliseconds(times))
    page.goto(base + "/items")
    page.wait_for_function(LIVE)
    page.evaluate(COUNT)
    host.client("run")
    changes = page.evaluate("window.changes")
    busiest = max((sum(1 for other in changes if start <= other < start + 1000) for start in changes), default=0)
    row("changes of `/items` in the busiest second of a session", str(busiest))


def row(name, value):
    print(f"| {name} | {value} |", flush=True)


def milliseconds(times):
    return f"{statistics.median(times) * 1000:.1f} ms ({max(times) * 1000:.1f})"


class Host:
    """A running host whose items have run once."""

    def __init__(self, program, scratch, items):
        self.program, self.scratch, self.socket = program, scratch, scratch / "run/bench.sock"
        for item in range(items):
            folder = scratch / f"from/folder-{item}"
            folder.mkdir(parents=True)
            (folder / "file").write_text("contents")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = [f'state = "{scratch}/state.sqlite"', f'socket = "{self.socket}"', f"page = {self.port}"]
        settings += ["[[folder]]", 'name = "Folders"', 'from = "from"', 'to = "to"', 'schedule = "every 24h"']
        (scratch / "host.toml").write_text("\n".join(settings))

    def __enter__(self):
        command = [self.program, "host", "--config", self.scratch / "host.toml"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self.client("status", check=False).returncode:
            time.sleep(0.05)
        self.client("run")
        shown = self.client("web", "--print").stdout
        self.address = re.search(r"http://\S+", shown)[0]
        self.token = self.address.split("token=")[1]
        return self

    def client(self, *args, check=True):
        command = [self.program, "--socket", self.socket, *args]
        return subprocess.run(command, check=check, capture_output=True, text=True)

    def bytes_of(self, view):
        """Returns the times to the first and the last byte."""
        start = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", view, headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        first = time.perf_counter() - start
        text = answer.read()
        last = time.perf_counter() - start
        connection.close()
        assert answer.status == 200, (view, answer.status, text[:200])
        return first, last

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


if __name__ == "__main__":
    main()
