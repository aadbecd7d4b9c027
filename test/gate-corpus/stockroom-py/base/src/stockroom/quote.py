"""Quotes: what an order would cost, as text for a customer."""

from .money import to_money


def quote_text(lines):
    """One row a line with quantity, name and net amount, and the net sum in the last row."""
    rows = []
    total = to_money(0)
    for line in lines:
        net = to_money(line.item.price * line.quantity)
        total += net
        rows.append(f"{line.quantity:>5} x {line.item.name:<20} {net:>10}")
    rows.append(f"{'net':>5}   {'':<20} {total:>10}")
    return "\n".join(rows)
