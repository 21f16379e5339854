"""Whatever a stranger puts into a path, a header or a store's name: an event of the log stays one line that is safe to look at."""

import json
import logging
import re
from urllib.parse import quote

import pytest
import structlog

from connector import log
from connector.rules.permissions import StaffRole
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import browser, run, shop_public_id
from tests.web.signing import sign_in_staff

HOSTILE = '\r\n{"event": "forged"}\n\x1b[31mred\x1b]0;title\x07\x00\u2028\u202e\x85'


def line_of(event: structlog.types.EventDict) -> str:
    """An event as the log writes it."""
    written = log._one_line(None, "", dict(event))
    assert isinstance(written, str)
    return written


def is_safe(line: str) -> bool:
    """One line of plain signs, which is JSON."""
    return line.isascii() and line.isprintable() and isinstance(json.loads(line), dict)


@pytest.mark.spec("SEC-238")
@pytest.mark.parametrize("name", ["shop", "user_agent", "path", "topic", HOSTILE])
def test_a_hostile_value_is_escaped_wherever_it_stands(name: str) -> None:
    line = line_of({"event": "thing.done", "level": "info", name: HOSTILE, "list": [HOSTILE], "odd": TypeError(HOSTILE)})
    assert is_safe(line)
    assert json.loads(line)[name] == HOSTILE, "nothing is lost by it"
    assert json.loads(line)["event"] == "thing.done"


@pytest.mark.spec("SEC-238")
def test_hostile_requests_forge_no_line(parts: Composition, shopify_shop: TestShop) -> None:
    """Real requests that fail, on pages, forms, links, the API and the door's neighbours, for a store with a hostile name."""
    run(parts, "update shops set name = :name", name=HOSTILE.replace("\x00", ""))
    shop = shop_public_id(parts, shopify_shop)
    path = quote(HOSTILE)
    header = re.sub(b"[\\r\\n\\x00]+", b" ", HOSTILE.encode("latin-1", "backslashreplace"))
    headers = [(name, header) for name in (b"user-agent", b"x-forwarded-for", b"referer")]
    run(parts, "alter table automations rename column is_on to gone")
    try:
        with structlog.testing.capture_logs() as events:
            client = browser(parts, raise_server_exceptions=False)
            sign_in_staff(client, parts, StaffRole.ADMIN)
            for url in (
                f"/support/shops/{shop}",
                f"/support/shops/{shop}?q={path}",
                f"/{path}",
                f"/support/{path}",
                f"/api/v1/checkouts/{path}",
                f"/r/{path}",
                f"/install/{path}",
                f"/static/{path}",
            ):
                answer = client.get(url, headers=headers)
                assert answer.status_code in (303, 400, 401, 404, 500), url
    finally:
        run(parts, "alter table automations rename column gone to is_on")
    assert [event["event"] for event in events].count("page.broken") == 2
    assert all(is_safe(line_of(event)) for event in events)
    assert not any("forged" in str(event) for event in events), "none of it is even written"


@pytest.mark.spec("SEC-238")
def test_what_libraries_say_is_one_line_too() -> None:
    record = logging.LogRecord("uvicorn.error", logging.WARNING, "protocol.py", 1, "Invalid request: %s", (HOSTILE,), None)
    with structlog.testing.capture_logs() as events:
        log._FromLibraries().emit(record)
    assert len(events) == 1
    assert is_safe(line_of(events[0]))
