import random
from decimal import Decimal

from stockroom import tier_rate

D = Decimal
two = [(10, D("0.05")), (100, D("0.12"))]
assert [tier_rate(two, n) for n in (1, 9, 10, 11, 99, 100, 101, 10**9)] == [
    0, 0, D("0.05"), D("0.05"), D("0.05"), D("0.12"), D("0.12"), D("0.12")
]
assert isinstance(tier_rate([], 5), Decimal) and tier_rate([], 5) == 0

random.seed(20)
for _ in range(300):
    minimums = random.sample(range(1, 60), random.randint(0, 6))
    tiers = [(minimum, D(random.randint(0, 99)) / 100) for minimum in minimums]
    before = list(tiers)
    for quantity in range(1, 62):
        best = D(0)
        top = 0
        for minimum, rate in tiers:
            if top < minimum <= quantity:
                top, best = minimum, rate
        assert tier_rate(tiers, quantity) == best, (tiers, quantity)
        assert tier_rate(tuple(tiers), quantity) == best
    assert tiers == before
