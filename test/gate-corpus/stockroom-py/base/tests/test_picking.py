from decimal import Decimal

from stockroom import Item, Line, picking_list

NUT = Item("NUT-4", "Nut", Decimal("0.10"), aisle="B")
BOLT = Item("BOLT-8", "Bolt", Decimal("0.35"), aisle="B")
SAW = Item("SAW-1", "Saw", Decimal("9.90"), aisle="A")


def test_sorted_by_aisle_then_sku():
    lines = [Line(NUT, 1), Line(BOLT, 2), Line(SAW, 1)]
    assert picking_list(lines) == [("A", "SAW-1", 1), ("B", "BOLT-8", 2), ("B", "NUT-4", 1)]


def test_lines_of_one_sku_are_joined():
    assert picking_list([Line(NUT, 1), Line(NUT, 4)]) == [("B", "NUT-4", 5)]
