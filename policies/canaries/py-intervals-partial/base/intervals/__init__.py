"""Intervals of whole numbers, each a pair (begin, finish) with begin <= finish."""


def merge(intervals):
    """The intervals in order."""
    return sorted(intervals)


def gaps(intervals):
    """What lies between the intervals, in order."""
    merged = merge(intervals)
    return [(a[1], b[0]) for a, b in zip(merged, merged[1:]) if a[1] < b[0]]
