import random

from weblog.stats import percentile

known = [15, 20, 35, 40, 50]
assert [percentile(known, p) for p in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
random.seed(9)
for _ in range(200):
    values = [random.randint(0, 30) for _ in range(random.randint(1, 25))]
    before = list(values)
    for percent in range(1, 101):
        enough = min(v for v in values if sum(w <= v for w in values) * 100 >= percent * len(values))
        assert percentile(values, percent) == enough, (values, percent)
    assert values == before
assert percentile(iter([3, 1, 2]), 50) == 2 and percentile((7,), 1) == 7
for values, percent in [([], 50), (iter([]), 50), ([1], 0), ([1], 101), ([1], -5)]:
    try:
        percentile(values, percent)
    except ValueError:
        continue
    raise SystemExit(f"percentile({values}, {percent}) was not refused")
