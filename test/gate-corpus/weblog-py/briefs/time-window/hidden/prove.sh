#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/weblog-py/briefs/time-window"
node "$CORPUS/damage.mjs" "$BASE" . --may "src/weblog/window.py" --may "src/weblog/cli.py" --may "src/weblog/__init__.py" \
  --tests "tests/**"
sh "$CORPUS/python-proof.sh" "$brief/hidden" 40
sh "$CORPUS/python-bites.sh" tests/test_window.py "$brief/checks/closed_window.py" src/weblog/window.py
