from decimal import Decimal

from stockroom import Item, Line, invoice_lines, invoice_total, line_net, unit_price
from stockroom.quote import quote_text

BOLT = Item("BOLT-8", "Bolt M8", Decimal("0.355"))
BOOK = Item("BOOK-1", "Book", Decimal("12.00"), vat=Decimal("0.05"))


def test_unit_price_is_money():
    assert unit_price(BOLT) == Decimal("0.36")


def test_a_line_is_rounded_once():
    assert line_net(Line(BOLT, 3)) == Decimal("1.06")


def test_vat_is_rounded_by_line():
    first, second = invoice_lines([Line(BOLT, 3), Line(BOOK, 1)])
    assert (first.net, first.vat, first.gross) == (Decimal("1.06"), Decimal("0.21"), Decimal("1.27"))
    assert second.vat == Decimal("0.60")


def test_the_total_is_gross():
    assert invoice_total([Line(BOLT, 3), Line(BOOK, 1)]) == Decimal("13.87")


def test_an_empty_order_costs_nothing():
    assert invoice_total([]) == Decimal("0.00")


def test_a_quote_ends_with_the_net_sum():
    rows = quote_text([Line(BOLT, 10), Line(BOOK, 2)]).splitlines()
    assert len(rows) == 3
    assert rows[-1].split() == ["net", "27.55"]
