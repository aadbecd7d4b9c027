from decimal import Decimal

from stockroom import Item

D = Decimal


def refused(error, tiers):
    try:
        Item("NUT-4", "Nut", D("0.10"), tiers=tiers)
    except error:
        return
    raise SystemExit(f"{tiers} was not refused with {error.__name__}")


refused(ValueError, [(0, D("0.1"))])
refused(ValueError, [(-5, D("0.1"))])
refused(ValueError, [(5, D("-0.1"))])
refused(ValueError, [(5, D("1"))])
refused(ValueError, [(5, D("1.5"))])
refused(ValueError, [(5, D("0.1")), (5, D("0.2"))])
refused(ValueError, [(5, D("0.1")), (9, D("0.2")), (5, D("0.1"))])
refused(TypeError, [(5, 0.1)])
refused(TypeError, [(5, D("0.1")), (9, 0.2)])
given = [(1, D("0")), (5, D("0.99"))]
item = Item("NUT-4", "Nut", D("0.10"), tiers=given)
given.append((7, D("0.5")))
assert isinstance(item.tiers, tuple) and len(item.tiers) == 2
assert Item("NUT-4", "Nut", D("0.10")).tiers == ()
