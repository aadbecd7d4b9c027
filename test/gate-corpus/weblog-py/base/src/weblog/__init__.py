"""Reads access logs and says which routes are asked for."""

from .parse import BadLine, parse_line, parse_lines
from .record import Record
from .routes import route_of
from .stats import RouteStats, summarize

__all__ = ["BadLine", "Record", "RouteStats", "parse_line", "parse_lines", "route_of", "summarize"]
