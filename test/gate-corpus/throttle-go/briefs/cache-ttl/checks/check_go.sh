# The planner's tests of package lru, on the proposal's sources.
set -eu
cp ttl_check.go "$WORKSPACE/lru/planner_check_test.go"
cd "$WORKSPACE"
rm -f lru/ttl_test.go
go test -vet=off -timeout 20s -v -run "^$1\$" ./lru >"$WORKSPACE/.planner" 2>&1 || { cat .planner; exit 1; }
grep -q "^--- PASS: $1 " .planner
