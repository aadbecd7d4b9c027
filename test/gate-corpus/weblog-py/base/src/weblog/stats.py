"""What the records of each route add up to."""

from dataclasses import dataclass

from .routes import route_of


@dataclass(frozen=True)
class RouteStats:
    route: str
    requests: int
    errors: int
    size: int


def summarize(records):
    """The sums of each route, the most asked for first; routes with equally many by name."""
    groups = {}
    for record in records:
        groups.setdefault(route_of(record.target), []).append(record)
    stats = [
        RouteStats(
            route=route,
            requests=len(group),
            errors=sum(record.is_error for record in group),
            size=sum(record.size for record in group),
        )
        for route, group in groups.items()
    ]
    return sorted(stats, key=lambda one: (-one.requests, one.route))
