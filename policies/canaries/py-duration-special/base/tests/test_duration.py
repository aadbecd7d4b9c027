import pytest
from duration import parse_duration, show_duration


def test_plain_seconds():
    assert parse_duration("90") == 90


def test_what_is_none():
    with pytest.raises(ValueError):
        parse_duration("soon")


def test_show():
    assert show_duration(90) == "1m30s"
