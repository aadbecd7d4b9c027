# The proposal's tests of windows, on its own sources and on windows that hold their end.
set -eu
checks=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$WORKSPACE/src" "$WORKSPACE/tests" "$WORKSPACE/pyproject.toml" "$work"
cd "$work"
python3 -B -m pytest -q -p no:cacheprovider tests/test_window.py
cp "$checks/closed_window.py" src/weblog/window.py
if python3 -B -m pytest -q -p no:cacheprovider tests/test_window.py; then exit 1; fi
