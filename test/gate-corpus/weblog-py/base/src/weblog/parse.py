"""Lines of a log as records."""

import re
from datetime import datetime

from .record import Record

_LINE = re.compile(
    r'(?P<client>\S+) \[(?P<moment>[^\]]+)\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[0-9.]+" '
    r"(?P<status>\d{3}) (?P<size>\d+|-) (?P<millis>\d+|-)"
)


class BadLine(ValueError):
    """A line that is not of the log's format."""


def parse_line(line):
    """The record of one line. Raises BadLine."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise BadLine(line)
    try:
        moment = datetime.fromisoformat(match["moment"])
    except ValueError as error:
        raise BadLine(line) from error
    if moment.utcoffset() is None:
        raise BadLine(line)
    return Record(
        client=match["client"],
        moment=moment,
        method=match["method"],
        target=match["target"],
        status=int(match["status"]),
        size=0 if match["size"] == "-" else int(match["size"]),
        millis=None if match["millis"] == "-" else int(match["millis"]),
    )


def parse_lines(lines):
    """``(records, bad)``: the records in their order, and how many lines could not be read."""
    records, bad = [], 0
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        try:
            records.append(parse_line(line))
        except BadLine:
            bad += 1
    return records, bad
