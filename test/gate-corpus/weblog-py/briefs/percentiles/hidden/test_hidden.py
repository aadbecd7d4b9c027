"""Proves labels: percentiles by their definition, and what the brief must leave as it was."""

import io
import random
from datetime import datetime, timezone

import pytest

import weblog
from weblog import Record, RouteStats, parse_line, route_of, summarize
from weblog.cli import main, table
from weblog.stats import percentile

AT = datetime(2024, 3, 1, tzinfo=timezone.utc)


def record(target, millis, status=200, size=1):
    return Record("c", AT, "GET", target, status, size, millis)


def definition(values, percent):
    return min(v for v in values if sum(w <= v for w in values) * 100 >= percent * len(values))


def test_hidden_the_definition():
    random.seed(1)
    for _ in range(300):
        values = [random.choice([random.randint(0, 9), random.randint(0, 5000)]) for _ in range(random.randint(1, 60))]
        kept = list(values)
        for percent in (1, 2, 5, 10, 25, 33, 50, 66, 75, 90, 95, 99, 100):
            got = percentile(values, percent)
            assert got == definition(values, percent) and isinstance(got, int)
        assert values == kept


def test_hidden_every_percent_of_every_size():
    for size in (1, 2, 3, 4, 7, 10, 19, 20, 21, 33, 40):
        values = list(range(size))
        for percent in range(1, 101):
            assert percentile(values, percent) == definition(values, percent)


def test_hidden_iterables():
    assert percentile(iter([5, 1, 9]), 100) == 9
    assert percentile((n for n in [5, 1, 9]), 34) == 5
    assert percentile({4}, 1) == 4


@pytest.mark.parametrize("values, percent", [([], 50), ((), 1), (iter(()), 95), ([1], 0), ([1], 101), ([1], -1), ([], 0)])
def test_hidden_refused(values, percent):
    with pytest.raises(ValueError):
        percentile(values, percent)


def test_hidden_routes_against_the_definition():
    random.seed(2)
    for _ in range(200):
        log = [
            record(f"/{random.choice('abc')}/{random.randint(1, 9)}", random.choice([None, 0, random.randint(0, 900)]))
            for _ in range(random.randint(0, 40))
        ]
        kept = list(log)
        stats = summarize(log)
        assert log == kept
        assert stats == sorted(stats, key=lambda one: (-one.requests, one.route))
        for one in stats:
            times = [r.millis for r in log if route_of(r.target) == one.route and r.millis is not None]
            assert one.p50 == (definition(times, 50) if times else None)
            assert one.p95 == (definition(times, 95) if times else None)
            assert one.requests == sum(route_of(r.target) == one.route for r in log)


def test_hidden_errors_count_too():
    (one,) = summarize([record("/a", 10), record("/a", 9000, status=503)])
    assert (one.p50, one.p95, one.errors) == (10, 9000, 1)


def test_hidden_fields_in_their_order():
    (one,) = summarize([record("/a", 4, size=3)])
    assert one == RouteStats("/a", 1, 0, 3, 4, 4)


LOG = [
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /a/1 HTTP/1.1" 500 10 5\n',
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /a/2 HTTP/1.1" 200 20 -\n',
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /b HTTP/1.1" 200 - -\n',
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /c HTTP/1.1" 200 7 0\n',
    "bad\n",
]


def printed(*argv, log=LOG):
    out = io.StringIO()
    code = main([*argv, "-"], out=out, source=list(log))
    return code, out.getvalue().splitlines()


def test_hidden_the_table():
    code, rows = printed()
    assert code == 0
    assert [row.split() for row in rows[:-1]] == [
        ["route", "requests", "errors", "bytes", "p50", "p95"],
        ["/a/:id", "2", "1", "30", "5", "5"],
        ["/b", "1", "0", "0", "-", "-"],
        ["/c", "1", "0", "7", "0", "0"],
    ]
    assert rows[-1] == "1 line could not be read"
    old = [
        "route                    requests  errors      bytes",
        "/a/:id                          2       1         30",
        "/b                              1       0          0",
        "/c                              1       0          7",
    ]
    assert [row[: len(old[0])] for row in rows[:-1]] == old
    assert len({len(row) for row in rows[:-1]}) == 1


def test_hidden_what_was_there_stays():
    assert [row.split()[0] for row in printed("--top", "1")[1]] == ["route", "/a/:id", "1"]
    assert len(table([])) == 1
    assert summarize([]) == []
    assert route_of("/cart/7/?full=1") == "/cart/:id" and route_of("/v2/x") == "/v2/x"
    assert parse_line('1.2.3.4 [2024-03-10T00:00:00Z] "GET / HTTP/1.1" 200 - -').millis is None
    with pytest.raises(weblog.BadLine):
        parse_line('1.2.3.4 [2024-03-10T00:00:00Z] "GET / HTTP/1.1" 200 - 1.5')
    assert not record("/", 1, status=429).is_error
    assert printed(log=["# nothing\n"])[0] == 0
