from stockroom import OutOfStock, Stock

stock = Stock({"A": 5, "B": 2})
stock.reserve([("A", 4)])
assert (stock.on_hand("A"), stock.available("A"), stock.available("B")) == (5, 1, 2)
try:
    stock.take("A", 2)
    raise SystemExit("reserved pieces were taken")
except OutOfStock as caught:
    assert caught.skus == ("A",)
stock.take("A", 1)
assert (stock.on_hand("A"), stock.available("A")) == (4, 0)
stock.restock("A", 3)
assert stock.available("A") == 3
assert stock.snapshot() == {"A": 7, "B": 2}
