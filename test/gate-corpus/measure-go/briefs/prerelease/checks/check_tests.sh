# The proposal's tests, on its own sources and on a package that compares numeric identifiers as text.
set -eu
checks=$PWD
cd "$WORKSPACE"
test -f semver/prerelease_test.go
go test -vet=off -timeout 20s ./semver
cp "$checks/textual_semver.go" semver/semver.go
if go test -vet=off -timeout 20s -v -run '^TestNumericIdentifiers$' ./semver >.planner 2>&1; then exit 1; fi
grep -q '^ *--- FAIL' .planner
