"""Support at work: somebody signed in, what they typed, and what was written down."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from connector.rules.permissions import StaffRole
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import browser, shop_public_id
from tests.web.signing import send, sign_in_staff

REASON = "Request 4711: no reminder came"
Opens = Callable[..., TestClient]
Entries = Callable[..., list[dict[str, Any]]]
Keep = Callable[..., int]


@pytest.fixture
def staff(parts: Composition) -> Iterator[Opens]:
    """A browser of one of the staff; `reason_for`: a shop for which they gave a reason."""
    opened: list[TestClient] = []

    def make(role: StaffRole = StaffRole.SUPPORT, reason_for: TestShop | None = None) -> TestClient:
        client = browser(parts)
        opened.append(client)
        sign_in_staff(client, parts, role)
        if reason_for is not None:
            give_reason(client, parts, reason_for)
        return client

    yield make
    for client in opened:
        client.close()


def give_reason(client: TestClient, parts: Composition, shop: TestShop, reason: str = REASON, **fields: str) -> Any:
    """Fill in the form that asks for a reason."""
    return send(client, parts, f"/support/shops/{shop_public_id(parts, shop)}/reason", reason=reason, **fields)


@pytest.fixture
def entries(parts: Composition) -> Entries:
    """What was written down under an action (or all of support's), the oldest first."""

    def ask(action: str = "support.%") -> list[dict[str, Any]]:
        with parts.db.engine.begin() as connection:
            rows = connection.execute(text("select * from audit_entries where action like :action order by id"), {"action": action})
            return [dict(row) for row in rows.mappings()]

    return ask


@pytest.fixture
def keep(parts: Composition) -> Keep:
    """Keep one delivery of a shop; without `body` its bytes are gone."""

    def write(shop: TestShop, state: str = "applied", body: bytes | None = b'{"id": 1}', **given: Any) -> int:
        values = {"topic": "orders/create", "reason": None, "headers": "x-topic: orders/create\nhost: connector.test"} | given
        with parts.db.engine.begin() as connection:
            statement = """
                insert into deliveries (key, shop_id, platform, topic, state, reason, attempts, received_at, received_on, handled_at)
                values (sha256(gen_random_uuid()::text::bytea), :shop, :platform, :topic, cast(:state as text), :reason, 1,
                    app_now(), app_now()::date, case when cast(:state as text) = 'pending' then null else app_now() end)
                returning id
            """
            known = {"shop": shop.id, "platform": shop.platform, "state": state, "topic": values["topic"], "reason": values["reason"]}
            number: int = connection.execute(text(statement), known).scalar_one()
            if body is not None:
                insert = "insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)"
                bodies = text(f"{insert} values (app_now()::date, :id, :shop, :headers, :body)")
                connection.execute(bodies, {"id": number, "shop": shop.id, "headers": values["headers"], "body": body})
        return number

    return write


def seen(page: str) -> str:
    """What people read of a page, in one line."""
    body = re.sub(r"<(script|style|title)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body))).strip()


def rows(page: str) -> list[str]:
    """The rows of its tables, as people read them."""
    return [seen(row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
