#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/measure-go/briefs/prerelease"
node "$CORPUS/damage.mjs" "$BASE" . --may "semver/*.go" --tests "**_test.go"
sh "$CORPUS/go-proof.sh" "$brief/hidden" 5 semver/prerelease_test.go
sh "$CORPUS/go-bites.sh" semver/prerelease_test.go "$brief/checks/textual_semver.go" semver/semver.go
