class UnknownSku(KeyError):
    pass


class OutOfStock(Exception):
    def __init__(self, skus):
        self.skus = tuple(skus)
        super().__init__("out of stock: " + ", ".join(self.skus))


class Stock:
    def __init__(self, on_hand):
        for sku, count in on_hand.items():
            if count < 0:
                raise ValueError(f"negative stock of {sku}")
        self._on_hand = dict(on_hand)
        self._reservations = {}
        self._held = {}
        self._last = 0

    def _known(self, sku):
        if sku not in self._on_hand:
            raise UnknownSku(sku)

    def on_hand(self, sku):
        self._known(sku)
        return self._on_hand[sku]

    def available(self, sku):
        return self.on_hand(sku) - self._held.get(sku, 0)

    def take(self, sku, count):
        _positive(count)
        if self.available(sku) < count:
            raise OutOfStock([sku])
        self._on_hand[sku] -= count

    def restock(self, sku, count):
        _positive(count)
        self._known(sku)
        self._on_hand[sku] += count

    def snapshot(self):
        return dict(self._on_hand)

    def reserve(self, lines):
        lines = list(lines)
        wanted = {}
        for sku, count in lines:
            _positive(count)
            self._known(sku)
            wanted[sku] = wanted.get(sku, 0) + count
        short = sorted(sku for sku, count in wanted.items() if self.available(sku) < count)
        for sku, count in wanted.items():
            if self.available(sku) >= count:
                self._held[sku] = self._held.get(sku, 0) + count
        if short:
            raise OutOfStock(short)
        self._last += 1
        self._reservations[self._last] = wanted
        return self._last

    def release(self, number):
        for sku, count in self._reservations.pop(number).items():
            self._held[sku] -= count

    def ship(self, number):
        for sku, count in self._reservations.pop(number).items():
            self._held[sku] -= count
            self._on_hand[sku] -= count


def _positive(count):
    if isinstance(count, bool) or not isinstance(count, int) or count <= 0:
        raise ValueError(f"not a number of pieces: {count!r}")
