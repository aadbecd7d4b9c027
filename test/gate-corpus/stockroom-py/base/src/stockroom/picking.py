"""Picking lists: in which order a person walks through the store."""


def picking_list(lines):
    """``(aisle, sku, quantity)`` sorted by aisle, then SKU; lines of one SKU are joined."""
    wanted = {}
    for line in lines:
        key = (line.item.aisle, line.item.sku)
        wanted[key] = wanted.get(key, 0) + line.quantity
    return [(aisle, sku, wanted[(aisle, sku)]) for aisle, sku in sorted(wanted)]
