#!/bin/sh
# Exit 0: the tree in the working directory does what the brief asks and harms nothing else.
set -eu
brief="$CORPUS/stockroom-py/briefs/quantity-tiers"
node "$CORPUS/damage.mjs" "$BASE" . --may "src/stockroom/catalog.py" --may "src/stockroom/pricing.py" \
  --may "src/stockroom/quote.py" --may "src/stockroom/invoice.py" --may "src/stockroom/__init__.py" --tests "tests/**"
sh "$CORPUS/python-proof.sh" "$brief/hidden" 49
# The tests that it brought must notice tiers that begin too late, and sources without tiers.
sh "$CORPUS/python-bites.sh" tests/test_tiers.py "$brief/checks/late_tiers.py" src/stockroom/pricing.py
