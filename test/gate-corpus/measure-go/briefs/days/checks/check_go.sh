# The planner's tests of package duration, on the proposal's sources.
set -eu
cp days_check.go "$WORKSPACE/duration/planner_check_test.go"
cd "$WORKSPACE"
rm -f duration/days_test.go
go test -vet=off -timeout 20s -v -run "^$1\$" ./duration >.planner 2>&1 || { cat .planner; exit 1; }
grep -q "^--- PASS: $1 " .planner
