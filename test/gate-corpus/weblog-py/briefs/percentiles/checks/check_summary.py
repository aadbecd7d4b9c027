from datetime import datetime, timezone

from weblog import Record, summarize

at = datetime(2024, 3, 1, tzinfo=timezone.utc)


def record(target, millis, status=200, size=1):
    return Record("c", at, "GET", target, status, size, millis)


log = [record("/a/1", 9), record("/b", None), record("/a/2", None), record("/a/3", 0), record("/a/4", 400), record("/c", 0, 503, 7)]
log += [record("/d", millis) for millis in range(40, 0, -1)]
stats = {one.route: one for one in summarize(log)}
assert list(stats) == ["/d", "/a/:id", "/b", "/c"]
assert (stats["/a/:id"].requests, stats["/a/:id"].p50, stats["/a/:id"].p95) == (4, 9, 400)
assert (stats["/b"].p50, stats["/b"].p95) == (None, None)
assert (stats["/c"].p50, stats["/c"].p95, stats["/c"].errors, stats["/c"].size) == (0, 0, 1, 7)
assert (stats["/d"].p50, stats["/d"].p95) == (20, 38)
