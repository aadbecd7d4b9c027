# The proposal's tests, on its own sources and on a package whose Format leaves out the sign.
set -eu
checks=$PWD
cd "$WORKSPACE"
test -f duration/days_test.go
go test -vet=off -timeout 20s ./duration
cp "$checks/unsigned_duration.go" duration/duration.go
if go test -vet=off -timeout 20s -v -run '^TestRoundTrip$' ./duration >.planner 2>&1; then exit 1; fi
grep -q '^ *--- FAIL' .planner
