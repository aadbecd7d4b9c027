from datetime import datetime, timedelta, timezone

from weblog.window import parse_moment

utc = timezone.utc
for text, moment in [
    ("2024-03-01T12:00:05+01:00", datetime(2024, 3, 1, 11, 0, 5, tzinfo=utc)),
    ("2024-03-01T12:00:05-08:30", datetime(2024, 3, 1, 20, 30, 5, tzinfo=utc)),
    ("2024-03-01T12:00:05Z", datetime(2024, 3, 1, 12, 0, 5, tzinfo=utc)),
    ("2024-03-01T12:00", datetime(2024, 3, 1, 12, 0, tzinfo=utc)),
    ("2024-03-01", datetime(2024, 3, 1, tzinfo=utc)),
]:
    read = parse_moment(text)
    assert read == moment and read.utcoffset() is not None, text
    if "+" not in text and "-08" not in text:
        assert read.utcoffset() == timedelta(0), text
for text in ["", "noon", "2024-13-01", "2024-03-01T25:00", "1709294405", "2024-03-01T12:00:05+99:00"]:
    try:
        parse_moment(text)
    except ValueError:
        continue
    raise SystemExit(f"{text!r} was read as a moment")
