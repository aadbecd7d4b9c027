"""Proves labels: what the brief asks for, and what it must leave as it was."""

import random
from dataclasses import FrozenInstanceError
from decimal import Decimal, localcontext

import pytest

import stockroom
from stockroom import Item, Line, invoice_lines, invoice_total, line_net, picking_list, tier_rate, unit_price
from stockroom.quote import quote_text

D = Decimal


def reference(tiers, quantity):
    best = (0, D(0))
    for minimum, rate in tiers:
        if minimum <= quantity and minimum > best[0]:
            best = (minimum, rate)
    return best[1]


def test_hidden_rates_follow_the_reference():
    random.seed(7)
    for _ in range(400):
        tiers = [(m, D(random.randint(0, 999)) / 1000) for m in random.sample(range(1, 40), random.randint(0, 5))]
        kept = list(tiers)
        for quantity in range(1, 42):
            assert tier_rate(tiers, quantity) == reference(tiers, quantity)
        assert tiers == kept
        assert tier_rate(iter(tiers), 20) == reference(tiers, 20)


def test_hidden_nothing_reached_is_a_decimal_zero():
    assert isinstance(tier_rate((), 1), D) and tier_rate([(2, D("0.5"))], 1) == 0
    assert isinstance(tier_rate([(2, D("0.5"))], 1), D)


def test_hidden_a_smaller_rate_on_more_pieces_is_obeyed():
    assert tier_rate([(5, D("0.50")), (50, D("0.10"))], 60) == D("0.10")


def test_hidden_a_tier_of_one_piece():
    assert line_net(Line(Item("A", "A", D("10"), tiers=[(1, D("0.25"))]), 1)) == D("7.50")


def test_hidden_amounts_follow_the_reference():
    random.seed(11)
    for _ in range(2000):
        price = D(random.randint(0, 99999)) / 1000
        tiers = [(m, D(random.randint(0, 999)) / 1000) for m in random.sample(range(1, 40), random.randint(0, 3))]
        quantity = random.randint(1, 60)
        line = Line(Item("A", "A", price, vat=D("0.19"), tiers=tiers), quantity)
        net = (price * quantity * (1 - reference(tiers, quantity))).quantize(D("0.01"), rounding="ROUND_HALF_EVEN")
        assert line_net(line) == net
        assert line_net(line).as_tuple().exponent == -2
        (row,) = invoice_lines([line])
        assert row.net == net and row.vat == stockroom.to_money(net * D("0.19")) and row.gross == row.net + row.vat
        shown = quote_text([line, line]).splitlines()
        assert shown[0].split()[-1] == str(net) and shown[-1].split()[-1] == str(net * 2)


def test_hidden_each_line_has_its_own_tier():
    item = Item("A", "A", D("1.00"), tiers=[(10, D("0.5"))])
    assert invoice_total([Line(item, 6), Line(item, 6)]) == D("14.40")
    assert line_net(Line(item, 12)) == D("6.00")


@pytest.mark.parametrize(
    "tiers",
    [
        [(0, D("0.1"))],
        [(-1, D("0.1"))],
        [(1, D("-0.01"))],
        [(1, D("1"))],
        [(1, D("1.01"))],
        [(3, D("0.1")), (3, D("0.1"))],
        [(3, D("0.1")), (4, D("0.1")), (3, D("0.2"))],
        [(3, D("0.1")), (0, D("0.1"))],
        [(3, D("0.1")), (4, D("1"))],
    ],
)
def test_hidden_bad_tiers(tiers):
    with pytest.raises(ValueError):
        Item("A", "A", D("1"), tiers=tiers)


@pytest.mark.parametrize("tiers", [[(3, 0.1)], [(3, D("0.1")), (4, 0.2)]])
def test_hidden_float_rates(tiers):
    with pytest.raises(TypeError):
        Item("A", "A", D("1"), tiers=tiers)


def test_hidden_tiers_are_its_own():
    given = [(3, D("0.1")), (1, D("0"))]
    item = Item("A", "A", D("1"), tiers=given)
    given.clear()
    assert isinstance(item.tiers, tuple) and sorted(item.tiers) == [(1, D("0")), (3, D("0.1"))]
    assert Item("A", "A", D("1")).tiers == ()
    assert hash(item) == hash(Item("A", "A", D("1"), tiers=item.tiers))
    with pytest.raises(FrozenInstanceError):
        item.tiers = ()


def test_hidden_positions_of_arguments_stay():
    item = Item("A", "A", D("1"), D("0.07"), "C")
    assert (item.vat, item.aisle, item.tiers) == (D("0.07"), "C", ())
    assert Item("A", "A", D("1")) == Item("A", "A", D("1"), D("0.20"), "A")


def test_hidden_what_was_there_stays():
    item = Item("A", "Thing", D("0.355"), tiers=[(2, D("0.5"))])
    assert unit_price(item) == D("0.36")
    assert picking_list([Line(item, 2)]) == [("A", "A", 2)]
    assert {"tier_rate", "line_net", "unit_price", "Stock", "picking_list", "cents", "parse_sku"} <= set(stockroom.__all__)
    assert quote_text([Line(Item("A", "Thing", D("2")), 3)]) == "    3 x Thing                      6.00\n  net                              6.00"
    with pytest.raises(TypeError):
        Item("A", "A", 1.0)
    with pytest.raises(ValueError):
        Item("A", "A", D("-1"))
    with pytest.raises(stockroom.UnknownSku):
        stockroom.Stock({}).restock("A", 1)
    stock = stockroom.Stock({"A": 3})
    with pytest.raises(stockroom.OutOfStock):
        stock.take("A", 4)
    stock.take("A", 3)
    assert stock.snapshot() == {"A": 0}
    assert stockroom.parse_sku("a_b  c") == "A-B-C"
    assert stockroom.to_money(D("0.125")) == D("0.12") and stockroom.cents("1.005") == 100
    with localcontext() as context:
        assert context.prec == 28
