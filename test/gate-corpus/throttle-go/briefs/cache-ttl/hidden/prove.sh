#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/throttle-go/briefs/cache-ttl"
node "$CORPUS/damage.mjs" "$BASE" . --may "lru/*.go" --tests "**_test.go" --allow 'panic\("lru: a cache'
sh "$CORPUS/go-proof.sh" "$brief/hidden" 8 lru/ttl_test.go
sh "$CORPUS/go-bites.sh" lru/ttl_test.go "$brief/checks/sliding_cache.go" lru/cache.go
