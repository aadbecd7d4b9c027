from stockroom import Stock


def gone(end, number):
    try:
        end(number)
    except KeyError:
        return
    raise SystemExit(f"reservation {number} is not gone")


stock = Stock({"A": 5, "B": 2})
first, second = stock.reserve([("A", 2), ("B", 1)]), stock.reserve([("A", 1), ("A", 1)])
stock.ship(first)
assert (stock.on_hand("A"), stock.available("A"), stock.on_hand("B")) == (3, 1, 1)
gone(stock.ship, first)
gone(stock.release, first)
stock.release(second)
assert (stock.on_hand("A"), stock.available("A")) == (3, 3)
gone(stock.release, second)
gone(stock.ship, 99)
assert stock.reserve([("A", 1)]) == 3
