# The proposal's tests of reservations, on its own sources and on a bucket that forgets what it promised.
set -eu
checks=$PWD
cd "$WORKSPACE"
test -f bucket/reserve_test.go
go test -vet=off -timeout 20s ./bucket
cp "$checks/forgetful_bucket.go" bucket/bucket.go
if go test -vet=off -timeout 20s -v ./bucket >.planner 2>&1; then exit 1; fi
grep -q '^--- FAIL' .planner
