# The proposal's tests, on its own sources and on a stock that reserves line by line.
set -eu
checks=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$WORKSPACE/src" "$WORKSPACE/tests" "$WORKSPACE/pyproject.toml" "$work"
cd "$work"
python3 -B -m pytest -q -p no:cacheprovider tests/test_reservations.py
cp "$checks/greedy_stock.py" src/stockroom/stock.py
if python3 -B -m pytest -q -p no:cacheprovider tests/test_reservations.py; then exit 1; fi
