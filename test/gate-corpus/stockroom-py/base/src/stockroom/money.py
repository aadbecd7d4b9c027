"""Money as decimals with two places."""

from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")


def to_money(value):
    """``value`` rounded half to even to whole cents. Floats are refused: they cannot hold a cent."""
    if isinstance(value, float):
        raise TypeError("money is never a float: write Decimal('0.10')")
    return Decimal(value).quantize(CENT, rounding=ROUND_HALF_EVEN)


def cents(value):
    """The whole cents of an amount of money."""
    return int(to_money(value) * 100)
