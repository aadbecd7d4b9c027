# The proposal's tests of percentiles, on its own sources and on percentiles between two values.
set -eu
checks=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$WORKSPACE/src" "$WORKSPACE/tests" "$WORKSPACE/pyproject.toml" "$work"
cd "$work"
python3 -B -m pytest -q -p no:cacheprovider tests/test_percentiles.py
cp "$checks/interpolating_stats.py" src/weblog/stats.py
if python3 -B -m pytest -q -p no:cacheprovider tests/test_percentiles.py; then exit 1; fi
