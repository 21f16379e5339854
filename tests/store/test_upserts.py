"""Set-based writes: the newest version of each row stays."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import Session

from connector.store.upserts import as_json, insert_new, lower_instants, replace_children, upsert_newest
from tests.conftest import TestShop
from tests.factories import T0, at

KEY = ("shop_id", "platform_id")


def customer(shop: TestShop, name: str, version: datetime, progress: int = 0, digest: str = "a", **changes: Any) -> dict[str, Any]:
    """A row of `customers`."""
    row = {"public_id": f"cus_{name}", "shop_id": shop.id, "platform_id": "1", "first_name": name, "created_at": version}
    rank = {"source_version": version, "source_triggered_at": version, "source_progress": progress, "source_digest": digest}
    return row | rank | changes


def test_of_equal_instants_the_later_trigger_is_newer(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    save(session, customer(shopify_shop, "later", T0, source_triggered_at=at(0, 0.4)))
    save(session, customer(shopify_shop, "earlier", T0, 9, "z", source_triggered_at=at(0, 0.3)))

    assert rows("select first_name from customers") == [{"first_name": "later"}]


def save(session: Session, *rows: dict[str, Any], **options: Any) -> list[int]:
    """Write customers."""
    return upsert_newest(session, "customers", rows, KEY, keep=("public_id",), **options)


@pytest.mark.spec("RL-108")
@pytest.mark.parametrize(
    ("version", "progress", "digest", "wins"),
    [
        (at(1), 0, "a", True),
        (at(-1), 9, "z", False),
        (T0, 1, "a", True),
        (T0, 0, "b", True),
        (T0, 0, "a", False),
        (T0, 0, "A", False),
    ],
)
def test_only_a_newer_version_replaces_a_row(
    session: Session, shopify_shop: TestShop, rows: Any, version: datetime, progress: int, digest: str, wins: bool
) -> None:
    (first,) = save(session, customer(shopify_shop, "first", T0))
    written = save(session, customer(shopify_shop, "second", version, progress, digest))

    assert written == ([first] if wins else [])
    (row,) = rows("select first_name, public_id from customers")
    assert row == {"first_name": "second" if wins else "first", "public_id": "cus_first"}


def test_the_least_instant_stays_and_silence_does_not_count(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    for version, told in ((T0, at(5)), (at(1), at(9)), (at(2), at(3)), (at(3), None)):
        save(session, customer(shopify_shop, "x", version, created_at=told), least=("created_at",))

    assert rows("select created_at from customers") == [{"created_at": at(3)}]


def test_an_older_version_lowers_an_instant_that_is_known_later(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    (held,) = save(session, customer(shopify_shop, "x", T0, created_at=at(5)))
    told = [{"shop_id": shopify_shop.id, "platform_id": "1", "created_at": instant} for instant in (at(4), at(2), None, at(7))]

    assert lower_instants(session, "customers", told, KEY, "created_at") == [held]
    assert lower_instants(session, "customers", told, KEY, "created_at") == []
    assert lower_instants(session, "customers", told[2:3], KEY, "created_at") == []
    assert rows("select created_at from customers") == [{"created_at": at(2)}]


def test_nothing_to_write_is_no_statement(session: Session) -> None:
    assert save(session) == []
    insert_new(session, "customers", [])
    replace_children(session, "checkout_lines", "checkout_id", [], [])


def test_what_is_there_is_left_alone_by_an_insert_of_new_rows(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    insert_new(session, "customers", [customer(shopify_shop, "first", T0)])
    insert_new(session, "customers", [customer(shopify_shop, "second", at(1)), customer(shopify_shop, "third", T0, platform_id="2")])

    assert [row["first_name"] for row in rows("select first_name from customers order by id")] == ["first", "third"]


def test_amounts_and_instants_travel_exactly() -> None:
    assert as_json([{"a": Decimal("0.1000"), "b": T0, "c": ("x",)}]) == '[{"a":"0.1000","b":"2026-11-20T09:00:00Z","c":["x"]}]'
