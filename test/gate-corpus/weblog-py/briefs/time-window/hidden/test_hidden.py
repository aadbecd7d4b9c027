"""Proves labels: windows against a model of their own, and what the brief must leave as it was."""

import io
import random
import time
from datetime import datetime, timedelta, timezone

import pytest

import weblog
from weblog import Record, parse_lines, route_of, summarize
from weblog.cli import main
from weblog.window import parse_moment, within

UTC = timezone.utc
START = datetime(2024, 3, 10, tzinfo=UTC)


def record(seconds, hours, name):
    moment = (START + timedelta(seconds=seconds)).astimezone(timezone(timedelta(hours=hours)))
    return Record("c", moment, "GET", f"/r{name}", 200, 0, None)


def test_hidden_windows_agree_with_the_model():
    random.seed(5)
    for _ in range(300):
        seconds = [random.randint(0, 30) for _ in range(12)]
        log = [record(s, random.randint(-12, 14), n) for n, s in enumerate(seconds)]
        kept = list(log)
        low, high = random.randint(0, 30), random.randint(0, 30)
        since = (START + timedelta(seconds=low)).astimezone(timezone(timedelta(hours=random.randint(-12, 14))))
        until = (START + timedelta(seconds=high)).astimezone(timezone(timedelta(hours=random.randint(-12, 14))))
        assert within(log, since, until) == [r for r, s in zip(log, seconds) if low <= s < high]
        assert within(log, since=since) == [r for r, s in zip(log, seconds) if low <= s]
        assert within(log, until=until) == [r for r, s in zip(log, seconds) if s < high]
        assert within(log, None, None) == log == kept
        assert within(log, since, until) + within(log, until, None) == (
            within(log, since, until) + [r for r, s in zip(log, seconds) if high <= s]
        )


def test_hidden_touching_windows_count_each_record_once():
    log = [record(s, 1, s) for s in range(20)]
    middle = START + timedelta(seconds=10)
    assert within(log, START, middle) + within(log, middle, START + timedelta(seconds=20)) == log


def test_hidden_fractions_of_a_second():
    log = [record(0, 0, 1)]
    assert within(log, START - timedelta(microseconds=1), START) == []
    assert within(log, START, START + timedelta(microseconds=1)) == log
    assert within(log, START + timedelta(microseconds=1)) == []


def test_hidden_a_list_of_any_iterable():
    log = [record(1, 0, 1), record(0, 0, 0)]
    assert within(iter(log)) == log
    assert within((r for r in log), until=START + timedelta(seconds=1)) == [log[1]]
    assert within([], START, START) == []
    assert within(log) is not log


@pytest.mark.parametrize(
    "text, hour",
    [
        ("2024-03-10T06:00:00+00:00", 6),
        ("2024-03-10T06:00:00Z", 6),
        ("2024-03-10T06:00:00", 6),
        ("2024-03-10T06:00", 6),
        ("2024-03-10T06:00+05:00", 1),
        ("2024-03-09T23:00-05:00", 4),
        ("2024-03-10", 0),
    ],
)
def test_hidden_moments(text, hour):
    read = parse_moment(text)
    assert read == START + timedelta(hours=hour)
    assert read.utcoffset() is not None


def test_hidden_utc_wherever_it_runs(monkeypatch):
    monkeypatch.setenv("TZ", "EAST-9")
    time.tzset()
    try:
        assert parse_moment("2024-03-10T06:00") == START + timedelta(hours=6)
        assert parse_moment("2024-03-10") == START
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", " ", "today", "2024-02-30", "2024-03-10T24:01", "12:00", "1710028800"])
def test_hidden_what_is_no_moment(text):
    with pytest.raises(ValueError):
        parse_moment(text)


LOG = [
    '1.2.3.4 [2024-03-10T00:00:00+01:00] "GET /a/1 HTTP/1.1" 500 10 5\n',
    "bad\n",
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /a/2 HTTP/1.1" 200 20 -\n',
    '1.2.3.4 [2024-03-10T09:00:00+09:00] "GET /b HTTP/1.1" 200 - -\n',
    '1.2.3.4 [2024-03-10T01:00:00Z] "GET /c HTTP/1.1" 200 40 -\n',
]


def printed(*argv, log=LOG):
    out = io.StringIO()
    code = main([*argv, "-"], out=out, source=list(log))
    return code, out.getvalue().splitlines()


def test_hidden_the_table_of_a_window():
    assert printed("--since", "2024-03-10", "--until", "2024-03-10T01:00")[1][1:] == [
        "/a/:id                          1       0         20",
        "/b                              1       0          0",
        "1 line could not be read",
    ]
    assert [row.split()[0] for row in printed("--until", "2024-03-10")[1]] == ["route", "/a/:id", "1"]
    assert [row.split()[0] for row in printed("--since", "2024-03-10T01:00:00Z")[1]] == ["route", "/c", "1"]
    assert [row.split()[0] for row in printed("--until=2024-03-10T02:00", "--top", "1")[1]] == ["route", "/a/:id", "1"]
    assert [row.split()[0] for row in printed("--since", "2024-03-10T01:00", "--top", "1")[1]] == ["route", "/c", "1"]
    assert printed("--since", "2030-01-01", log=["bad\n", "worse\n"])[1][1:] == ["2 lines could not be read"]
    assert printed("--since", "2030-01-01")[0] == 0
    assert printed(log=["# nothing\n"])[0] == 0


def test_hidden_a_window_of_a_file(tmp_path):
    path = tmp_path / "access.log"
    path.write_text("".join(LOG))
    out = io.StringIO()
    assert main(["--since", "2024-03-10T00:30", str(path)], out=out) == 0
    assert [row.split()[0] for row in out.getvalue().splitlines()] == ["route", "/c", "1"]


@pytest.mark.parametrize(
    "argv",
    [
        ["--since", "noon"],
        ["--until", "later"],
        ["--since", ""],
        ["--since", "2024-03-10", "--until", "2024-03-10"],
        ["--since", "2024-03-11", "--until", "2024-03-10"],
        ["--since", "2024-03-10T10:00+09:00", "--until", "2024-03-10T01:00Z"],
    ],
)
def test_hidden_refused(argv):
    try:
        code = main([*argv, "-"], out=io.StringIO(), source=list(LOG))
    except SystemExit as end:
        code = end.code
    assert code == 2


def test_hidden_what_was_there_stays():
    assert printed()[1] == [
        "route                    requests  errors      bytes",
        "/a/:id                          2       1         30",
        "/b                              1       0          0",
        "/c                              1       0         40",
        "1 line could not be read",
    ]
    records, bad = parse_lines(LOG)
    assert (len(records), bad) == (4, 1)
    assert [one.route for one in summarize(records)] == ["/a/:id", "/b", "/c"]
    assert route_of("/a/1/?x=/b/2#c") == "/a/:id"
    with pytest.raises(weblog.BadLine):
        weblog.parse_line('1.2.3.4 [2024-03-10T00:00:00] "GET / HTTP/1.1" 200 - -')
    assert not Record("c", START, "GET", "/", 499, 0, None).is_error
    with pytest.raises(SystemExit):
        main(["--top", "x", "-"])
