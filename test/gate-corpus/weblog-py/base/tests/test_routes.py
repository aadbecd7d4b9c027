import pytest

from weblog import route_of


@pytest.mark.parametrize(
    "target, route",
    [
        ("/", "/"),
        ("/cart/7?full=1", "/cart/:id"),
        ("/cart/7/", "/cart/:id"),
        ("/v2/items", "/v2/items"),
        ("//a//b", "/a/b"),
    ],
)
def test_routes(target, route):
    assert route_of(target) == route
