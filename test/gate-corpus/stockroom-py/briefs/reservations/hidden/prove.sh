#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/stockroom-py/briefs/reservations"
node "$CORPUS/damage.mjs" "$BASE" . --may "src/stockroom/stock.py" --may "src/stockroom/__init__.py" --tests "tests/**"
sh "$CORPUS/python-proof.sh" "$brief/hidden" 41
sh "$CORPUS/python-bites.sh" tests/test_reservations.py "$brief/checks/greedy_stock.py" src/stockroom/stock.py
