from weblog import parse_lines, summarize

LOG = """\
192.0.2.7 [2024-03-01T12:00:05+01:00] "GET /cart/7 HTTP/1.1" 200 512 37
192.0.2.7 [2024-03-01T12:00:06+01:00] "GET /cart/8 HTTP/1.1" 503 - 900
192.0.2.9 [2024-03-01T12:00:07+01:00] "GET / HTTP/1.1" 200 100 2
192.0.2.9 [2024-03-01T12:00:08+01:00] "GET /about HTTP/1.1" 404 80 -
"""


def test_sums_by_route():
    records, bad = parse_lines(LOG.splitlines(keepends=True))
    assert bad == 0
    first, second, third = summarize(records)
    assert (first.route, first.requests, first.errors, first.size) == ("/cart/:id", 2, 1, 512)
    assert (second.route, third.route) == ("/", "/about")
    assert third.errors == 0


def test_nothing_has_no_routes():
    assert summarize([]) == []
