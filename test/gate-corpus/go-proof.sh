#!/bin/sh
# Runs the base's tests, the hidden ones below $1 (their folders are the packages'), and the test file $3 that the change
# brings, on the sources in the working directory; at least $2 tests named TestHidden... must pass, none fail.
set -eu
# Programs that go builds for tests cannot be run from a /tmp that is mounted noexec.
work=$(mktemp -d "$(dirname "$PWD")/go-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree" "$work/tmp"
find . -name '*.go' ! -name '*_test.go' | while read -r file; do
  mkdir -p "$work/tree/$(dirname "$file")"
  cp "$file" "$work/tree/$file"
done
[ -f "$3" ] || { echo "there is no $3"; exit 1; }
cp "$BASE/go.mod" "$work/tree"
for from in "$BASE" "$1"; do
  (cd "$from" && find . -name '*_test.go') | while read -r file; do
    mkdir -p "$work/tree/$(dirname "$file")"
    cp "$from/$file" "$work/tree/$file"
  done
done
cp "$3" "$work/tree/$3"
cd "$work/tree"
GOTMPDIR="$work/tmp" timeout 60 go test -vet=off -v ./... >"$work/out" 2>&1 || {
  grep -v '^=== ' "$work/out" | tail -n 30
  exit 1
}
# A process that the code under test ended early has passed nothing.
passed=$(grep -c '^--- PASS: TestHidden' "$work/out" || true)
[ "$passed" -ge "$2" ] || { echo "only $passed hidden tests passed"; exit 1; }
