#!/bin/sh
# The test file $1, which passes on the tree's sources, fails where $2 takes the place of the file $3, and on the base's sources.
set -eu
work=$(mktemp -d "$(dirname "$PWD")/go-XXXXXX")
trap 'rm -rf "$work"' EXIT
package=$(dirname "$1")
mkdir -p "$work/tree/$package" "$work/tmp"
run() { (cd "$work/tree" && GOTMPDIR="$work/tmp" timeout 60 go test -vet=off -v "./$package" >"$work/out" 2>&1); }
cp "$BASE/go.mod" "$work/tree"
cp "$package"/*.go "$work/tree/$package"
cp "$2" "$work/tree/$3"
if run; then echo "$1 passes on $(basename "$2")"; exit 1; fi
grep -q '^--- FAIL' "$work/out" || { echo "$1 cannot even be built with $(basename "$2")"; tail -n 20 "$work/out"; exit 1; }
rm "$work/tree/$package"/*.go
cp "$BASE/$package"/*.go "$work/tree/$package"
cp "$1" "$work/tree/$1"
if run; then echo "$1 passes without the change"; exit 1; fi
