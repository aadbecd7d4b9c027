from stockroom import OutOfStock, Stock, UnknownSku


def refused(error, stock, lines):
    before = {sku: stock.available(sku) for sku in stock.snapshot()}
    try:
        stock.reserve(lines)
    except error as caught:
        assert {sku: stock.available(sku) for sku in stock.snapshot()} == before, lines
        return caught
    raise SystemExit(f"{lines} was not refused")


stock = Stock({"A": 5, "B": 2, "C": 0})
assert refused(OutOfStock, stock, [("A", 2), ("B", 3)]).skus == ("B",)
assert refused(OutOfStock, stock, [("C", 1), ("A", 1), ("B", 3)]).skus == ("B", "C")
assert refused(OutOfStock, stock, [("A", 3), ("A", 3)]).skus == ("A",)
assert refused(OutOfStock, stock, [("B", 3), ("B", 3)]).skus == ("B",)
refused(UnknownSku, stock, [("A", 1), ("X", 1)])
refused(ValueError, stock, [("A", 1), ("B", 0)])
refused(ValueError, stock, [("A", 2), ("A", -1)])
refused(ValueError, stock, [("A", 1.0)])
assert stock.reserve([("A", 2), ("B", 2), ("A", 3)]) == 1
assert (stock.available("A"), stock.available("B")) == (0, 0)
assert refused(OutOfStock, stock, [("A", 1)]).skus == ("A",)
stock.restock("A", 1)
assert stock.reserve([("A", 1)]) == 2
