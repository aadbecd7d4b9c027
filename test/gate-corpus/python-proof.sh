#!/bin/sh
# Runs the base's tests and the hidden ones of $1 on the sources in the working directory; at least $2 must pass, none fail.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r src "$work/src"
cp -r "$BASE/tests" "$work/tests"
cp "$BASE/pyproject.toml" "$work"
cp "$1"/test_*.py "$work/tests"
cd "$work"
env -u SALLYPORT_REPORT timeout 60 python3 -B -m pytest -q -p no:cacheprovider >"$work/out" 2>&1 || {
  tail -n 30 "$work/out"
  exit 1
}
# A process that the code under test ended early has passed nothing.
passed=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' "$work/out")
[ "${passed:-0}" -ge "$2" ] || { echo "only ${passed:-0} tests passed"; exit 1; }
