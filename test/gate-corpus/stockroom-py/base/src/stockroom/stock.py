"""How many pieces of each SKU the store holds."""


class UnknownSku(KeyError):
    """The shop does not carry this SKU."""


class OutOfStock(Exception):
    """There are fewer pieces than were asked for. ``skus`` names those that are short."""

    def __init__(self, skus):
        self.skus = tuple(skus)
        super().__init__("out of stock: " + ", ".join(self.skus))


class Stock:
    """Pieces on hand by SKU."""

    def __init__(self, on_hand):
        for sku, count in on_hand.items():
            if count < 0:
                raise ValueError(f"negative stock of {sku}")
        self._on_hand = dict(on_hand)

    def _known(self, sku):
        if sku not in self._on_hand:
            raise UnknownSku(sku)

    def on_hand(self, sku):
        """The pieces that lie in the store."""
        self._known(sku)
        return self._on_hand[sku]

    def available(self, sku):
        """The pieces that can still be sold."""
        return self.on_hand(sku)

    def take(self, sku, count):
        """Takes pieces out of the store. Raises OutOfStock, and then takes none."""
        _positive(count)
        if self.available(sku) < count:
            raise OutOfStock([sku])
        self._on_hand[sku] -= count

    def restock(self, sku, count):
        """Puts pieces into the store."""
        _positive(count)
        self._known(sku)
        self._on_hand[sku] += count

    def snapshot(self):
        """The pieces on hand by SKU, as a copy."""
        return dict(self._on_hand)


def _positive(count):
    if isinstance(count, bool) or not isinstance(count, int) or count <= 0:
        raise ValueError(f"not a number of pieces: {count!r}")
