"""Prices and stock for a small mail-order shop."""

from .catalog import Item, Line, parse_sku
from .invoice import invoice_lines, invoice_total
from .money import cents, to_money
from .picking import picking_list
from .pricing import line_net, unit_price
from .stock import OutOfStock, Stock, UnknownSku

__all__ = [
    "Item",
    "Line",
    "OutOfStock",
    "Stock",
    "UnknownSku",
    "cents",
    "invoice_lines",
    "invoice_total",
    "line_net",
    "parse_sku",
    "picking_list",
    "to_money",
    "unit_price",
]
