import io

from weblog.cli import main

log = [
    '192.0.2.7 [2024-03-01T12:00:00+01:00] "GET /a HTTP/1.1" 200 1 1\n',
    "nonsense\n",
    '192.0.2.7 [2024-03-01T11:30:00+00:00] "GET /b HTTP/1.1" 200 1 1\n',
    '192.0.2.7 [2024-03-01T12:00:00Z] "GET /c HTTP/1.1" 200 1 1\n',
    "more nonsense\n",
]


def routes(*argv):
    out = io.StringIO()
    assert main([*argv, "-"], out=out, source=list(log)) == 0
    rows = out.getvalue().splitlines()
    assert rows[-1] == "2 lines could not be read", rows
    return [row.split()[0] for row in rows[1:-1]]


def refused(*argv):
    try:
        code = main([*argv, "-"], out=io.StringIO(), source=list(log))
    except SystemExit as end:
        code = end.code
    assert code == 2, (argv, code)


assert routes() == ["/a", "/b", "/c"]
assert routes("--since", "2024-03-01T11:00") == ["/a", "/b", "/c"]
assert routes("--since", "2024-03-01T11:00:01") == ["/b", "/c"]
assert routes("--until", "2024-03-01T12:00") == ["/a", "/b"]
assert routes("--since", "2024-03-01T12:30+01:00", "--until", "2024-03-01T13:00+01:00") == ["/b"]
assert routes("--since", "2024-03-02") == []
assert routes("--since", "2024-03-01", "--until", "2024-03-02", "--top", "1") == ["/a"]
refused("--since", "noon")
refused("--until", "")
refused("--since", "2024-03-02", "--until", "2024-03-01")
refused("--since", "2024-03-01", "--until", "2024-03-01")
refused("--since", "2024-03-01T12:00+01:00", "--until", "2024-03-01T11:00Z")
