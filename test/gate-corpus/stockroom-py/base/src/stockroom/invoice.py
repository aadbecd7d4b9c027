"""Invoices: net, VAT and gross of an order."""

from collections import namedtuple

from .money import to_money
from .pricing import line_net

InvoiceLine = namedtuple("InvoiceLine", "sku quantity net vat gross")


def invoice_lines(lines):
    """One invoice line for each line of the order, in its order. VAT is rounded line by line."""
    result = []
    for line in lines:
        net = line_net(line)
        vat = to_money(net * line.item.vat)
        result.append(InvoiceLine(line.item.sku, line.quantity, net, vat, net + vat))
    return result


def invoice_total(lines):
    """The gross sum of an order."""
    return to_money(sum((line.gross for line in invoice_lines(lines)), to_money(0)))
