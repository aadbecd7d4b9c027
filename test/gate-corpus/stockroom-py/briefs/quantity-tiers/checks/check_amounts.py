from decimal import Decimal

from stockroom import Item, Line, invoice_lines, invoice_total, line_net
from stockroom.quote import quote_text

D = Decimal
nut = Item("NUT-4", "Nut", D("0.333"), vat=D("0.07"), tiers=[(100, D("0.15")), (10, D("0.05"))])
plain = Item("SAW-1", "Saw", D("9.905"))
# 0.333 x 10 = 3.33, less 5 % = 3.1635; 0.333 x 150 = 49.95, less 15 % = 42.4575
expected = {1: "0.33", 9: "3.00", 10: "3.16", 99: "31.32", 100: "28.30", 150: "42.46"}
for quantity, net in expected.items():
    assert line_net(Line(nut, quantity)) == D(net), quantity
assert line_net(Line(plain, 3)) == D("29.72")
first, second = invoice_lines([Line(nut, 150), Line(plain, 3)])
assert (first.net, first.vat, first.gross) == (D("42.46"), D("2.97"), D("45.43"))
assert (second.net, second.vat) == (D("29.72"), D("5.94"))
assert invoice_total([Line(nut, 150), Line(plain, 3)]) == D("81.09")
rows = quote_text([Line(nut, 150), Line(plain, 3)]).splitlines()
assert rows[0].split()[-1] == "42.46" and rows[-1].split() == ["net", "72.18"], rows

# Rounded once: with 3 at 0.355 less 10 % it is 0.9585, not 0.9 x 1.06 = 0.954; with 1.05 less 10 % 0.945 is even at 0.94.
for price, quantity, net in [("0.355", 3, "0.96"), ("1.05", 1, "0.94"), ("0.115", 5, "0.52"), ("0.045", 1, "0.04")]:
    item = Item("X", "X", D(price), tiers=[(1, D("0.10"))])
    assert line_net(Line(item, quantity)) == D(net), (price, quantity)
    assert quote_text([Line(item, quantity)]).split()[-1] == net
