from datetime import datetime, timezone

import pytest

from weblog import BadLine, parse_line, parse_lines

LINE = '192.0.2.7 [2024-03-01T12:00:05+01:00] "GET /cart/7?full=1 HTTP/1.1" 200 512 37'


def test_a_whole_line():
    record = parse_line(LINE)
    assert record.moment == datetime(2024, 3, 1, 11, 0, 5, tzinfo=timezone.utc)
    assert (record.method, record.target, record.status) == ("GET", "/cart/7?full=1", 200)
    assert (record.size, record.millis) == (512, 37)


def test_dashes_are_nothing():
    record = parse_line(LINE.replace("512 37", "- -"))
    assert (record.size, record.millis) == (0, None)


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace("+01:00", ""),
        LINE.replace("2024-03-01", "2024-13-01"),
        LINE.replace('"GET', "GET"),
        LINE + " extra",
        "",
    ],
)
def test_bad_lines_are_refused(line):
    with pytest.raises(BadLine):
        parse_line(line)


def test_comments_and_blank_lines_are_no_lines():
    records, bad = parse_lines(["# a comment\n", "\n", LINE + "\n", "nonsense\n"])
    assert (len(records), bad) == (1, 1)
