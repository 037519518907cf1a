"""Two programs syncthing on this machine that share one folder, and that no other machine finds."""

import socket
import subprocess
from pathlib import Path
from xml.etree import ElementTree

OFF = {"globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled", "startBrowser", "crashReportingEnabled"}
OTHERS = {"urAccepted": "-1", "autoUpgradeIntervalH": "0", "reconnectionIntervalS": "5"}


def commands(base, sides, delay=None):
    """Makes the settings of both programs below `base`, with this delay in seconds or the default one. Returns their commands."""
    homes = [Path(base) / name for name in ("one", "two")]
    for home in homes:
        subprocess.run(["syncthing", "generate", "--home", home, "--no-default-folder"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ids = [subprocess.run(["syncthing", "--home", home, "--device-id"], check=True, capture_output=True, text=True).stdout.strip() for home in homes]
    ports = free_ports(4)
    for number, (home, side) in enumerate(zip(homes, sides)):
        write_settings(home / "config.xml", side, number, ids, ports, delay)
    return [["syncthing", "serve", "--home", str(home), "--no-browser", "--no-upgrade"] for home in homes]


def write_settings(path, side, number, ids, ports, delay):
    document = ElementTree.parse(path)
    root = document.getroot()
    options = root.find("options")
    for option in options:
        if option.tag in OFF:
            option.text = "false"
        option.text = OTHERS.get(option.tag, option.text)
    options.find("listenAddress").text = f"tcp://127.0.0.1:{ports[number]}"
    root.find("gui/address").text = f"127.0.0.1:{ports[2 + number]}"
    other = ElementTree.SubElement(root, "device", id=ids[1 - number], name="other")
    ElementTree.SubElement(other, "address").text = f"tcp://127.0.0.1:{ports[1 - number]}"
    folder = ElementTree.SubElement(root, "folder", id="shared", path=str(side), type="sendreceive", fsWatcherEnabled="true")
    folder.set("fsWatcherDelayS", str(10 if delay is None else delay))
    for device in ids:
        ElementTree.SubElement(folder, "device", id=device)
    document.write(path)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
