#!/bin/sh
# The tests in file $1 pass on the tree's sources, fail on those of the base, and fail where $2 takes the place of the file $3.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -f "$1" ] || { echo "there is no $1"; exit 1; }
run() { (cd "$work" && timeout 60 python3 -B -m pytest -q -p no:cacheprovider "$1" >"$work/out" 2>&1); }
cp -r tests "$work/tests"
cp "$BASE/pyproject.toml" "$work"
cp -r src "$work/src"
run "$1" || { tail -n 20 "$work/out"; exit 1; }
cp "$2" "$work/$3"
if run "$1"; then echo "$1 passes on $(basename "$2")"; exit 1; fi
grep -q ' failed' "$work/out" || { echo "$1 cannot even run on $(basename "$2")"; exit 1; }
rm -rf "$work/src"
cp -r "$BASE/src" "$work/src"
if run "$1"; then echo "$1 passes without the change"; exit 1; fi
