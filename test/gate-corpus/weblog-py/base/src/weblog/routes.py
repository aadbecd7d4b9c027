"""Targets of requests as routes: one name for all that the same code answers."""


def route_of(target):
    """The path of a target without query and trailing slash; segments of digits become ``:id``."""
    path = target.split("?", 1)[0].split("#", 1)[0]
    parts = [":id" if part.isdigit() else part for part in path.split("/") if part]
    return "/" + "/".join(parts)
