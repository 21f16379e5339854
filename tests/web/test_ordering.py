"""How a posted order is read."""

import pytest

from connector.web.ordering import posted_order

KNOWN = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({}, "abcd"),
        ({"order": "d,c,b,a"}, "dcba"),
        ({"order": "c"}, "cabd"),
        ({"order": "c,c,nobody,,c,a"}, "cabd"),
        ({"order": "a,b,c,d", "up": "c"}, "acbd"),
        ({"order": "a,b,c,d", "down": "c"}, "abdc"),
        ({"order": "b,a,c,d", "up": "a"}, "abcd"),
        ({"order": "a,b,c,d", "up": "a"}, "abcd"),
        ({"order": "a,b,c,d", "down": "d"}, "abcd"),
        ({"up": "nobody", "down": ""}, "abcd"),
    ],
)
def test_an_order_holds_each_known_item_once(fields: dict[str, str], order: str) -> None:
    assert "".join(posted_order(fields, KNOWN)) == order
