from decimal import Decimal

import pytest

from stockroom import Item, Line, parse_sku


@pytest.mark.parametrize("text, sku", [("bolt-8", "BOLT-8"), (" nut 4 ", "NUT-4"), ("a__b", "A-B")])
def test_sku_has_one_spelling(text, sku):
    assert parse_sku(text) == sku


@pytest.mark.parametrize("text", ["", "8-BOLT", "bolt/8", "bölt"])
def test_what_is_no_sku(text):
    with pytest.raises(ValueError):
        parse_sku(text)


def test_a_line_has_at_least_one_piece():
    with pytest.raises(ValueError):
        Line(Item("NUT-4", "Nut", Decimal("0.10")), 0)


def test_prices_are_decimals():
    with pytest.raises(TypeError):
        Item("NUT-4", "Nut", 0.10)
