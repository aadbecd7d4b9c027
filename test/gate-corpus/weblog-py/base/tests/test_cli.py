import io

from weblog.cli import main

LOG = [
    '192.0.2.7 [2024-03-01T12:00:05+01:00] "GET /cart/7 HTTP/1.1" 200 512 37\n',
    '192.0.2.7 [2024-03-01T12:00:06+01:00] "GET /cart/8 HTTP/1.1" 503 - 900\n',
    '192.0.2.9 [2024-03-01T12:00:07+01:00] "GET / HTTP/1.1" 200 100 2\n',
    "nonsense\n",
]


def printed(*argv, log=LOG):
    out = io.StringIO()
    code = main([*argv, "-"], out=out, source=log)
    return code, out.getvalue().splitlines()


def test_the_table():
    code, rows = printed()
    assert code == 0
    assert rows[0].split()[:4] == ["route", "requests", "errors", "bytes"]
    assert rows[1].split()[:4] == ["/cart/:id", "2", "1", "512"]
    assert rows[2].split()[:4] == ["/", "1", "0", "100"]
    assert rows[3] == "1 line could not be read"


def test_only_the_top():
    code, rows = printed("--top", "1")
    assert code == 0
    assert len(rows) == 3


def test_a_missing_file(tmp_path):
    out = io.StringIO()
    assert main([str(tmp_path / "none.log")], out=out) == 1
    assert out.getvalue().startswith("weblog: ")
