# The proposal's tests of expiry, on its own sources and on a cache whose entries live on when they are read.
set -eu
checks=$PWD
cd "$WORKSPACE"
test -f lru/ttl_test.go
go test -vet=off -timeout 20s ./lru
cp "$checks/sliding_cache.go" lru/cache.go
if go test -vet=off -timeout 20s -v ./lru >.planner 2>&1; then exit 1; fi
grep -q '^--- FAIL' .planner
