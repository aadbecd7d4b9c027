# The planner's tests of package bucket, on the proposal's sources.
set -eu
cp reserve_check.go "$WORKSPACE/bucket/planner_check_test.go"
cd "$WORKSPACE"
rm -f bucket/reserve_test.go
go test -vet=off -timeout 20s -v -run "^$1\$" ./bucket >"$WORKSPACE/.planner" 2>&1 || { cat .planner; exit 1; }
grep -q "^--- PASS: $1 " .planner
