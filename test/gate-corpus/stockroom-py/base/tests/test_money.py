from decimal import Decimal

import pytest

from stockroom import cents, to_money


def test_rounds_half_to_even():
    assert to_money(Decimal("0.125")) == Decimal("0.12")
    assert to_money(Decimal("0.135")) == Decimal("0.14")


def test_refuses_floats():
    with pytest.raises(TypeError):
        to_money(0.1)


def test_cents_are_whole():
    assert cents(Decimal("19.99")) == 1999
