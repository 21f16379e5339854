"""Once a day all ids are looked at: what was deleted for good is found, asked for by its id, and only then removed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from connector.canonical import Resource
from connector.config import Settings
from connector.platforms import NotPermitted, PayloadError, Rejected, TransientError
from connector.reading import Change
from connector.store import records, sync_marks
from connector.store.db import Database
from connector.store.sealed import Vault
from sync import listening, walking
from sync.services import Services
from tests.conftest import TestShop
from tests.factories import make_customer, make_order
from tests.sync.listening_kit import Listened, Shop

ORDER, CUSTOMER = Resource.ORDER, Resource.CUSTOMER


@pytest.fixture
def shop(db: Database, vault: Vault, sandbox_settings: Settings, shopify_shop: TestShop) -> Shop:
    """A shop with six orders that both sides know, whose first day is over."""
    platform = Listened()
    one = Shop(Services(db, vault, {"shopify": platform}, None, sandbox_settings), platform, shopify_shop)
    known = [make_order(one.now() - timedelta(days=9 - n), platform_id=f"{n}") for n in range(1, 7)]
    one.change(ORDER, *known)
    with db.transaction(shop=shopify_shop.id) as session:
        records.save_orders(session, shopify_shop.id, known)
    one.later(20)
    one.listen()
    one.later(10)
    one.listen()
    one.later(60 * 24)
    return one


def look(shop: Shop) -> list[tuple[str, str]]:
    """The next look, and what it asks the store for by its id."""
    shop.platform.changing.named.clear()
    shop.later(10.5)
    shop.listen()
    return sorted(shop.platform.changing.named)


def seen(shop: Shop) -> int:
    with shop.services.db.engine.connect() as connection:
        return int(connection.execute(text("select count(*) from sync_seen")).scalar_one())


def test_what_was_deleted_for_good_is_asked_for_and_removed(shop: Shop) -> None:
    shop.platform.changing.gone = {"2", "5"}
    assert look(shop) == [("order", "2"), ("order", "5")]
    assert shop.kept() == ["1", "3", "4", "6"]
    assert (seen(shop), shop.marks()[ORDER].walked_at is not None) == (0, True)


def test_what_the_list_forgot_and_the_store_still_has_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = shop.platform.changing
    monkeypatch.setattr(reads, "ids", lambda access, what, cursor=None: ([], None))
    assert len(look(shop)) == 6
    assert len(shop.kept()) == 6


def test_nothing_is_asked_for_that_the_store_merely_does_not_show(shop: Shop) -> None:
    """Asked for by its id it would seem to be gone."""
    reads = shop.platform.changing
    reads.shown_since = shop.now() - timedelta(days=6)
    reads.gone = {"1", "6"}
    assert look(shop) == [("order", "6")]
    assert shop.kept() == ["1", "2", "3", "4", "5"]


def test_it_comes_once_a_day(shop: Shop) -> None:
    look(shop)
    shop.platform.changing.gone = {"2"}
    assert look(shop) == []
    shop.later(60 * 24)
    assert look(shop) == [("order", "2")]


def test_a_walk_that_takes_longer_goes_on_where_it_stood(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "SECONDS", 0.0)
    shop.platform.changing.gone = {"6"}
    assert look(shop) == []
    assert (shop.marks()[ORDER].walk_cursor, seen(shop)) == ("2", 2)
    found = [look(shop) for _ in range(3)]
    assert found == [[], [], [("order", "6")]]
    assert (shop.kept(), shop.marks()[ORDER].walk_cursor) == (["1", "2", "3", "4", "5"], walking.ASKING)
    look(shop)
    assert (shop.marks()[ORDER].walk_cursor, seen(shop)) == (None, 0)


def test_a_list_that_comes_back_all_but_empty_is_an_accident_and_asked_about_for_a_day_at_most(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "SECONDS", 0.0)
    monkeypatch.setattr(walking, "AT_ONCE", 1)
    monkeypatch.setattr(shop.platform.changing, "ids", lambda access, what, cursor=None: ([], None))
    assert [len(look(shop)) for _ in range(3)] == [0, 1, 1]
    shop.later(60 * 24)
    look(shop)
    assert (len(shop.kept()), shop.marks()[ORDER].walk_cursor) == (6, None)


def test_a_record_that_makes_no_sense_when_it_is_asked_for_stays_and_holds_up_no_other(shop: Shop) -> None:
    reads = shop.platform.changing
    reads.gone = {"2", "3", "4"}
    answer = reads.record_now

    def record_now(access: Any, what: Resource, platform_id: str) -> Change | None:
        if platform_id == "2":
            raise PayloadError("no sense", platform="shopify", reason="fields")
        if platform_id == "3":
            raise NotPermitted("withheld", platform="shopify", call="record")
        return answer(access, what, platform_id)

    reads.record_now = record_now  # type: ignore[method-assign]
    look(shop)
    assert shop.kept() == ["1", "2", "3", "5", "6"]


def test_a_kind_that_cannot_be_listed_is_looked_at_tomorrow_again_and_holds_up_no_other(shop: Shop) -> None:
    def ids(access: Any, what: Resource, cursor: str | None = None) -> tuple[list[str], str | None]:
        if what is ORDER:
            raise Rejected("no", platform="shopify", call="ids")
        return [], None

    shop.platform.changing.ids = ids  # type: ignore[method-assign]
    look(shop)
    assert all(shop.marks()[kind].walked_at is not None for kind in walking.KINDS)
    assert len(shop.kept()) == 6


def test_a_store_that_does_not_answer_is_walked_another_time_and_that_holds_up_no_comparing(shop: Shop) -> None:
    def ids(access: Any, what: Resource, cursor: str | None = None) -> tuple[list[str], str | None]:
        raise TransientError("no answer", platform="shopify", call="ids")

    shop.platform.changing.ids = ids  # type: ignore[method-assign]
    look(shop)
    assert listening.ring(shop.services) == 0
    assert shop.marks()[ORDER].walked_at is None


def test_where_edits_cannot_be_asked_for_all_records_are_compared(shop: Shop) -> None:
    """As WooCommerce's customers: their list knows no time of change."""
    shop.platform.can = replace(shop.platform.can, undated=frozenset({"customer"}))
    before = make_customer(shop.now() - timedelta(days=5), platform_id="c1")
    gone = make_customer(shop.now() - timedelta(days=5), platform_id="c2", email="ben@example.org")
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        records.save_customers(session, shop.shop.id, [before, gone])
    shop.change(CUSTOMER, replace(before, source_version=shop.now() - timedelta(days=3), first_name="Hanna"))
    assert look(shop) == [("customer", "c2")]
    with shop.services.db.engine.connect() as connection:
        rows = connection.execute(text("select platform_id, first_name from customers where deleted_at is null"))
        assert [tuple(row) for row in rows] == [("c1", "Hanna")]


def test_an_install_begins_its_walks_anew(shop: Shop) -> None:
    look(shop)
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        sync_marks.begin_anew(session, shop.shop.id, shop.now())
    assert shop.marks()[ORDER].walked_at is None
