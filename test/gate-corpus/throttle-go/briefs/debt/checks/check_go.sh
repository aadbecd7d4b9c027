# The planner's tests of package bucket, on the proposal's sources.
set -eu
# None of the proposal's own tests: what they lean on may be in each other.
rm -f "$WORKSPACE/bucket"/*_test.go
cp reserve_check.go "$WORKSPACE/bucket/planner_check_test.go"
cd "$WORKSPACE"
go test -vet=off -timeout 20s -v -run "^$1\$" ./bucket >"$WORKSPACE/.planner" 2>&1 || { cat .planner; exit 1; }
grep -q "^--- PASS: $1 " .planner
