"""Set-based writes: the newest version of each row stays."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import Session

from connector.store import records
from connector.store.upserts import as_json, insert_new, lower_instants, place_children, replace_children, upsert_newest
from tests.conftest import TestShop
from tests.factories import T0, at, make_checkout, make_line, terms

KEY = ("platform_id",)


def customer(name: str, version: datetime, progress: int = 0, digest: str = "a", **changes: Any) -> dict[str, Any]:
    """A row of `customers`."""
    row = {"public_id": f"cus_{name}", "platform_id": "1", "first_name": name, "created_at": version}
    rank = {"source_version": version, "source_triggered_at": version, "source_progress": progress, "source_digest": digest}
    return row | rank | changes


def test_of_equal_instants_the_later_trigger_is_newer(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    save(session, shopify_shop, customer("later", T0, source_triggered_at=at(0, 0.4)))
    save(session, shopify_shop, customer("earlier", T0, 9, "z", source_triggered_at=at(0, 0.3)))

    assert rows("select first_name from customers") == [{"first_name": "later"}]


def save(session: Session, shop: TestShop, *rows: dict[str, Any], **options: Any) -> list[int]:
    """Write customers; the ids of those written."""
    return [row.id for row in upsert_newest(session, shop.id, "customers", rows, KEY, keep=("public_id",), **options).values()]


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
    (first,) = save(session, shopify_shop, customer("first", T0))
    written = save(session, shopify_shop, customer("second", version, progress, digest))

    assert written == ([first] if wins else [])
    (row,) = rows("select first_name, public_id from customers")
    assert row == {"first_name": "second" if wins else "first", "public_id": "cus_first"}


def test_the_least_instant_stays_and_silence_does_not_count(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    for version, told in ((T0, at(5)), (at(1), at(9)), (at(2), at(3)), (at(3), None)):
        save(session, shopify_shop, customer("x", version, created_at=told), least=("created_at",))

    assert rows("select created_at from customers") == [{"created_at": at(3)}]


def test_an_older_version_lowers_an_instant_that_is_known_later(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    (held,) = save(session, shopify_shop, customer("x", T0, created_at=at(5)))
    told = [[{"platform_id": "1", "created_at": instant}] for instant in (at(4), at(2), None, at(7), at(2))]

    lowered = [lower_instants(session, shopify_shop.id, "customers", rows, KEY, "created_at") for rows in told]

    assert lowered == [[held], [held], [], [], []]
    assert rows("select created_at from customers") == [{"created_at": at(2)}]


def test_nothing_to_write_is_no_statement(session: Session, shopify_shop: TestShop) -> None:
    assert save(session, shopify_shop) == []
    insert_new(session, "customers", [])
    replace_children(session, "checkout_lines", "checkout_id", [], [])


def test_what_is_there_is_left_alone_by_an_insert_of_new_rows(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    shop = {"shop_id": shopify_shop.id}
    insert_new(session, "customers", [customer("first", T0) | shop])
    insert_new(session, "customers", [customer("second", at(1)) | shop, customer("third", T0, platform_id="2") | shop])

    assert [row["first_name"] for row in rows("select first_name from customers order by id")] == ["first", "third"]


def test_children_become_what_they_are_told_to_be_and_equal_ones_are_not_touched(
    session: Session, shopify_shop: TestShop, rows: Any
) -> None:
    (parent,) = records.save_checkouts(session, terms(shopify_shop), [make_checkout(lines=tuple(make_line(str(n)) for n in range(3)))])
    states = "select position, quantity, xmin::text || ctid::text as row from checkout_lines order by position"
    before = rows(states)
    columns = "checkout_id, position, key, title, quantity, unit_price, total, product_id, variant_id"
    told = rows(f"select {columns} from checkout_lines order by position")
    told[1]["quantity"] = 7

    place_children(session, shopify_shop.id, "checkout_lines", "checkout_id", {parent: 2}, told[:2])

    after = rows(states)
    assert [(line["position"], line["quantity"]) for line in after] == [(0, 1), (1, 7)]
    assert after[0] == before[0]
    assert after[1]["row"] != before[1]["row"]


def test_a_written_row_says_whether_it_is_new(session: Session, shopify_shop: TestShop) -> None:
    told = [[customer("first", T0)], [customer("second", at(1))], [customer("old", at(-1))]]
    written = [upsert_newest(session, shopify_shop.id, "customers", rows, KEY, keep=("public_id",)) for rows in told]

    assert [[row.is_new for row in part.values()] for part in written] == [[True], [False], []]
    assert list(written[0]) == list(written[1]) == [("1",)]


def test_amounts_and_instants_travel_exactly() -> None:
    assert as_json([{"a": Decimal("0.1000"), "b": T0, "c": ("x",)}]) == '[{"a":"0.1000","b":"2026-11-20T09:00:00Z","c":["x"]}]'
