from dataclasses import dataclass
from typing import Optional

from .routes import route_of


@dataclass(frozen=True)
class RouteStats:
    route: str
    requests: int
    errors: int
    size: int
    p50: Optional[int] = None
    p95: Optional[int] = None


def percentile(values, percent):
    ordered = sorted(values)
    if not ordered or not 1 <= percent <= 100:
        raise ValueError("no values, or no percent")
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summarize(records):
    groups = {}
    for record in records:
        groups.setdefault(route_of(record.target), []).append(record)
    stats = []
    for route, group in groups.items():
        times = [record.millis for record in group if record.millis is not None]
        stats.append(
            RouteStats(
                route,
                len(group),
                sum(record.is_error for record in group),
                sum(record.size for record in group),
                percentile(times, 50) if times else None,
                percentile(times, 95) if times else None,
            )
        )
    return sorted(stats, key=lambda one: (-one.requests, one.route))
