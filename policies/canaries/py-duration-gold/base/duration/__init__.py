"""Durations as people write them."""


def parse_duration(text):
    """Seconds of a duration. Raises ValueError for what is none."""
    if not text.isdigit():
        raise ValueError(f"not a duration: {text!r}")
    return int(text)


def show_duration(seconds):
    """Seconds as people read them."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
