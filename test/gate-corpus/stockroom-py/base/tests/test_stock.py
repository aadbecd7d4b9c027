import pytest

from stockroom import OutOfStock, Stock, UnknownSku


def test_taking_lowers_the_stock():
    stock = Stock({"BOLT-8": 10})
    stock.take("BOLT-8", 4)
    assert stock.on_hand("BOLT-8") == 6
    assert stock.available("BOLT-8") == 6


def test_the_last_piece_can_be_taken():
    stock = Stock({"BOLT-8": 2})
    stock.take("BOLT-8", 2)
    assert stock.on_hand("BOLT-8") == 0


def test_too_many_takes_none():
    stock = Stock({"BOLT-8": 3})
    with pytest.raises(OutOfStock) as caught:
        stock.take("BOLT-8", 4)
    assert caught.value.skus == ("BOLT-8",)
    assert stock.on_hand("BOLT-8") == 3


def test_unknown_skus_are_named():
    with pytest.raises(UnknownSku):
        Stock({}).on_hand("NUT-4")
    with pytest.raises(UnknownSku):
        Stock({}).restock("NUT-4", 1)


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_a_count_is_a_positive_whole_number(count):
    with pytest.raises(ValueError):
        Stock({"NUT-4": 5}).take("NUT-4", count)


def test_a_snapshot_is_a_copy():
    stock = Stock({"NUT-4": 5})
    stock.snapshot()["NUT-4"] = 0
    assert stock.on_hand("NUT-4") == 5
