"""The resources that one run of a tool takes."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

HAS_TIME = Path("/usr/bin/time").exists()


def timed(command, environment):
    """Runs a command. Returns its wall time and processor time in seconds, and its peak memory and what it wrote in MiB; without GNU time,
    only the first. Ends the script if the command fails."""
    with tempfile.NamedTemporaryFile("r") as usage, tempfile.TemporaryFile() as output:
        with_usage = ["/usr/bin/time", "-o", usage.name, "-f", "%U %S %M %O", *command] if HAS_TIME else command
        began = time.monotonic()
        ended = subprocess.run(with_usage, env=environment, stdout=output, stderr=output)
        wall = time.monotonic() - began
        if ended.returncode:
            output.seek(0)
            sys.exit(f"{command} ended with {ended.returncode}: {output.read().decode(errors='replace')[-2000:]}")
        user, system, memory, blocks = map(float, usage.read().split() or [0, 0, 0, 0])
    return wall, user + system, memory / 1024, blocks / 2048
