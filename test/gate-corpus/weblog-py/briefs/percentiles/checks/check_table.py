import io

from weblog.cli import main

log = [
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /a/1 HTTP/1.1" 500 10 5\n',
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /a/2 HTTP/1.1" 200 20 1200\n',
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /b HTTP/1.1" 200 - -\n',
    '1.2.3.4 [2024-03-10T00:00:00Z] "GET /c HTTP/1.1" 200 3 0\n',
    "nonsense\n",
]
out = io.StringIO()
assert main(["-"], out=out, source=log) == 0
rows = out.getvalue().splitlines()
assert [row.split() for row in rows] == [
    ["route", "requests", "errors", "bytes", "p50", "p95"],
    ["/a/:id", "2", "1", "30", "5", "1200"],
    ["/b", "1", "0", "0", "-", "-"],
    ["/c", "1", "0", "3", "0", "0"],
    ["1", "line", "could", "not", "be", "read"],
], rows
assert rows[1].startswith(f"{'/a/:id':<24} {2:>8} {1:>7} {30:>10}"), rows[1]
assert len({len(row) for row in rows[:4]}) == 1, rows
