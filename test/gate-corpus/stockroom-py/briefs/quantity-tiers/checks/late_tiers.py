from decimal import Decimal

from .money import to_money


def tier_rate(tiers, quantity):
    reached = [tier for tier in tiers if tier[0] < quantity]
    return max(reached)[1] if reached else Decimal("0")


def unit_price(item):
    return to_money(item.price)


def line_net(line):
    return to_money(line.item.price * line.quantity * (1 - tier_rate(line.item.tiers, line.quantity)))
