"""The command line."""

import argparse
import sys

from .parse import parse_lines
from .stats import summarize


def _parser():
    parser = argparse.ArgumentParser(prog="weblog", description="Which routes a log has, and how they answer.")
    parser.add_argument("log", help="the log file, or - for standard input")
    parser.add_argument("--top", type=int, metavar="N", help="only the N routes that are asked for most")
    return parser


def table(stats):
    """The rows that are printed, the head first."""
    rows = [f"{'route':<24} {'requests':>8} {'errors':>7} {'bytes':>10}"]
    for one in stats:
        rows.append(f"{one.route:<24} {one.requests:>8} {one.errors:>7} {one.size:>10}")
    return rows


def main(argv, out=None, source=None):
    """Prints the table of a log and returns the exit code. ``source`` stands for standard input."""
    out = out or sys.stdout
    options = _parser().parse_args(argv)
    if options.log == "-":
        records, bad = parse_lines(source or sys.stdin)
    else:
        try:
            with open(options.log, encoding="utf-8") as log:
                records, bad = parse_lines(log)
        except OSError as error:
            print(f"weblog: {error}", file=out)
            return 1
    for row in table(summarize(records)[: options.top]):
        print(row, file=out)
    if bad:
        print(f"{bad} line{'' if bad == 1 else 's'} could not be read", file=out)
    return 0


def run():
    sys.exit(main(sys.argv[1:]))
