#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/measure-go/briefs/days"
node "$CORPUS/damage.mjs" "$BASE" . --may "duration/*.go" --tests "**_test.go"
sh "$CORPUS/go-proof.sh" "$brief/hidden" 4 duration/days_test.go
sh "$CORPUS/go-bites.sh" duration/days_test.go "$brief/checks/unsigned_duration.go" duration/duration.go
