#!/usr/bin/env bash
# NetworkManager 1.42.4: as soon as a connection begins to go down, NetworkManager reports that nothing can be reached, although the
# connection still works and the scripts in `pre-down.d`, which exist to use it for the last time, still run.
#
# The property `Connectivity` of the manager becomes 1 (none) together with the state 30 (disconnecting), before the first script
# runs. The addresses and the default route stay until the last script has ended, and so do `PrimaryConnection` and `Metered`. A
# program that asks for the connectivity before it writes its last changes writes nothing. The check of the connectivity is
# disabled here, so the value does not come from a request that failed; before, it is 4 (full).
#
# Output seen:
#   activated: State 70, Connectivity 4, Metered 1, PrimaryConnection set, a request succeeds
#   in pre-down: State 30, Connectivity 1, Metered 1, PrimaryConnection set, a request succeeds
#   down: State 20, Connectivity 1, Metered 0, PrimaryConnection none, a request fails
#
# Needs Debian 12, apt and its package lists, network namespaces with veth, iproute2, util-linux, dbus and Python. Downloads the
# packages without installing them. Exits with 77 where that is missing. Fails if the behaviour changes.
set -euo pipefail
skip() { echo "skipped: $1"; exit 77; }
unshare --map-root-user --net --mount ip link add eth0 type veth peer name far0 2> /dev/null ||
    skip "a network namespace with a veth pair is not permitted here, or unshare or ip is missing"
command -v dbus-daemon > /dev/null && command -v dbus-send > /dev/null || skip "dbus is missing"
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cd "$folder" && mkdir -p archives/partial packages profiles scripts/pre-down.d
apt-get install --yes --download-only --no-install-recommends --reinstall -o Dir::Cache::archives="$folder/archives" \
    network-manager=1.42.4-1+deb12u1 > apt.log 2>&1 || skip "network-manager 1.42.4-1+deb12u1 cannot be downloaded: $(tail -1 apt.log)"
for package in archives/*.deb; do dpkg -x "$package" packages; done

cat > bus.conf <<BUS
<busconfig><type>system</type><listen>unix:path=$folder/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>
BUS
cat > manager.conf <<CONF
[main]
plugins=keyfile
auth-polkit=false
no-auto-default=*
[keyfile]
path=$folder/profiles
unmanaged-devices=interface-name:far0
[connectivity]
enabled=false
CONF
cat > look.sh <<'LOOK'
property() {
    dbus-send --system --print-reply=literal --dest=org.freedesktop.NetworkManager /org/freedesktop/NetworkManager \
        org.freedesktop.DBus.Properties.Get string:org.freedesktop.NetworkManager "string:$1" | awk '{ print $NF }'
}
connection=none && [ "$(property PrimaryConnection)" = / ] || connection=set
request=fails && timeout 2 bash -c 'exec 3<> /dev/tcp/10.0.0.2/8000' 2> /dev/null && request=succeeds
echo "$1: State $(property State), Connectivity $(property Connectivity), Metered $(property Metered)," \
    "PrimaryConnection $connection, a request $request"
LOOK
printf '#!/bin/sh\nDBUS_SYSTEM_BUS_ADDRESS=unix:path=%s/bus exec bash %s/look.sh "in pre-down" >> %s/output\n' \
    "$folder" "$folder" "$folder" > scripts/pre-down.d/look
chmod 755 scripts/pre-down.d/look

cat > run.sh <<'RUN'
set -euo pipefail
LD_LIBRARY_PATH=$(find "$PWD"/packages/usr/lib "$PWD"/packages/lib -maxdepth 1 -name '*-linux-gnu' | paste -sd :)
export LD_LIBRARY_PATH DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/bus
mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mkdir -p /run/NetworkManager /run/udev/data /var/lib/NetworkManager
mount -t sysfs -o ro none /sys
mkdir -p /etc/NetworkManager 2> /dev/null || true
mount -t tmpfs none /etc/NetworkManager && mkdir -p /etc/NetworkManager/dispatcher.d
cp -r scripts/pre-down.d /etc/NetworkManager/dispatcher.d/
dbus-daemon --config-file=bus.conf --nofork &
ip link set lo up && ip link add eth0 type veth peer name far0
unshare --net bash -c 'echo $$ > far.pid; until ip link show far0 > /dev/null 2>&1; do sleep 0.1; done
    ip link set lo up; ip addr add 10.0.0.2/24 dev far0; ip link set far0 up; exec python3 -m http.server 8000' > /dev/null 2>&1 &
until [ -s far.pid ]; do sleep 0.1; done
ip link set far0 netns "$(cat far.pid)"
packages/usr/lib/NetworkManager/nm-dispatcher --persist > dispatcher.log 2>&1 &
packages/usr/sbin/NetworkManager --no-daemon --config=manager.conf --config-dir=none --system-config-dir=none \
    --state-file=/run/NetworkManager/state > manager.log 2>&1 &
client=packages/usr/bin/nmcli
for _ in $(seq 100); do $client general > /dev/null 2>&1 && break; sleep 0.2; done
$client connection add autoconnect no type ethernet ifname eth0 con-name Wire ip4 10.0.0.1/24 gw4 10.0.0.2 ipv6.method disabled \
    connection.metered yes > /dev/null
$client device set eth0 managed yes && $client connection up Wire > /dev/null
for _ in $(seq 50); do timeout 1 bash -c 'exec 3<> /dev/tcp/10.0.0.2/8000' 2> /dev/null && break; sleep 0.2; done
bash look.sh activated >> output
$client connection down Wire > /dev/null
sleep 1 && bash look.sh down >> output
RUN
unshare --map-root-user --net --mount --pid --fork --kill-child bash run.sh > run.log 2>&1 || { tail -20 run.log manager.log; exit 1; }
cat output
diff - output <<'SEEN'
activated: State 70, Connectivity 4, Metered 1, PrimaryConnection set, a request succeeds
in pre-down: State 30, Connectivity 1, Metered 1, PrimaryConnection set, a request succeeds
down: State 20, Connectivity 1, Metered 0, PrimaryConnection none, a request fails
SEEN
