"""What the shop sells."""

import re
from dataclasses import dataclass
from decimal import Decimal

_SKU = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*")


def parse_sku(text):
    """A stock-keeping unit in its one spelling: upper case, parts joined by single dashes."""
    sku = re.sub(r"[\s_-]+", "-", text.strip()).upper()
    if not _SKU.fullmatch(sku):
        raise ValueError(f"not a SKU: {text!r}")
    return sku


@dataclass(frozen=True)
class Item:
    """One thing for sale: its net price for one, its VAT rate, and the aisle where it lies."""

    sku: str
    name: str
    price: Decimal
    vat: Decimal = Decimal("0.20")
    aisle: str = "A"

    def __post_init__(self):
        if isinstance(self.price, float) or isinstance(self.vat, float):
            raise TypeError("prices and rates are decimals")
        if self.price < 0:
            raise ValueError("a price is not negative")


@dataclass(frozen=True)
class Line:
    """So many of an item on an order."""

    item: Item
    quantity: int

    def __post_init__(self):
        if self.quantity <= 0:
            raise ValueError("a line has at least one piece")
