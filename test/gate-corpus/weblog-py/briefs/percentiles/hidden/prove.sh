#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/weblog-py/briefs/percentiles"
node "$CORPUS/damage.mjs" "$BASE" . --may "src/weblog/stats.py" --may "src/weblog/cli.py" --may "src/weblog/__init__.py" \
  --tests "tests/**"
sh "$CORPUS/python-proof.sh" "$brief/hidden" 33
sh "$CORPUS/python-bites.sh" tests/test_percentiles.py "$brief/checks/interpolating_stats.py" src/weblog/stats.py
