# The proposal's tests of tiers, on its own sources and on sources whose tiers begin one piece too late.
set -eu
checks=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$WORKSPACE/src" "$WORKSPACE/tests" "$WORKSPACE/pyproject.toml" "$work"
cd "$work"
python3 -B -m pytest -q -p no:cacheprovider tests/test_tiers.py
cp "$checks/late_tiers.py" src/stockroom/pricing.py
if python3 -B -m pytest -q -p no:cacheprovider tests/test_tiers.py; then exit 1; fi
