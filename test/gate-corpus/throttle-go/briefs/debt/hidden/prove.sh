#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/throttle-go/briefs/debt"
node "$CORPUS/damage.mjs" "$BASE" . --may "bucket/*.go" --tests "**_test.go"
sh "$CORPUS/go-proof.sh" "$brief/hidden" 7 bucket/reserve_test.go
sh "$CORPUS/go-bites.sh" bucket/reserve_test.go "$brief/checks/forgetful_bucket.go" bucket/bucket.go
