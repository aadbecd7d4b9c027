"""What a line of an order costs."""

from .money import to_money


def unit_price(item):
    """The net price of one piece of an item."""
    return to_money(item.price)


def line_net(line):
    """The net amount of a line, rounded once."""
    return to_money(line.item.price * line.quantity)
