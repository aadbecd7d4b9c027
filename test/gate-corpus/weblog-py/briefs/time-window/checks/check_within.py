from datetime import datetime, timedelta, timezone

from weblog import Record
from weblog.window import within


def at(minute, offset=0):
    zone = timezone(timedelta(hours=offset))
    moment = (datetime(2024, 3, 1, 12, 0, tzinfo=timezone.utc) + timedelta(minutes=minute)).astimezone(zone)
    return Record("c", moment, "GET", f"/{minute}", 200, 0, None)


def minutes(records):
    assert isinstance(records, list)
    return [int(record.target[1:]) for record in records]


log = [at(30, 5), at(0), at(59, -8), at(60), at(10, 13), at(-1, 2)]
noon, one = at(0).moment, at(60, 9).moment
assert minutes(within(log)) == [30, 0, 59, 60, 10, -1]
assert minutes(within(log, since=noon)) == [30, 0, 59, 60, 10]
assert minutes(within(log, until=one)) == [30, 0, 59, 10, -1]
assert minutes(within(log, noon, one)) == [30, 0, 59, 10]
assert minutes(within(log, one, one)) == []
assert minutes(within(iter(log), until=noon)) == [-1]
assert len(log) == 6
