"""Discount codes -> rows: compared without letter case, the later read counts."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import Session

from connector.canonical import Removed, Resource
from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.store import codes, removals
from connector.store.db import Database, app_now
from tests.conftest import TestShop
from tests.factories import T0, at

STATE = CodeState(
    "77",
    T0,
    "Thanks-10",
    CodeKind.FIXED_AMOUNT,
    CodeStatus.ACTIVE,
    title="Thank you",
    value=Decimal("5.50"),
    currency="EUR",
    starts_at=T0,
    ends_at=at(600),
    usage_limit=100,
    used=3,
    once_per_customer=True,
    minimum_subtotal=Decimal("30.00"),
    restrictions=(Restriction.PRODUCTS, Restriction.MARKETS),
    codes=1,
)


def save(session: Session, shop: TestShop, *states: CodeState, read_at: Any = T0) -> None:
    """A read that began then found these."""
    codes.save_codes(session, shop.id, states, read_at)
    session.expire_all()


def test_a_code_is_kept_exactly_and_found_in_any_letter_case(session: Session, shopify_shop: TestShop) -> None:
    save(session, shopify_shop, STATE)

    for spelling in ("Thanks-10", "THANKS-10", " thanks-10 "):
        row = codes.find(session, shopify_shop.id, spelling)
        assert row is not None
        assert codes.to_state(row) == replace(STATE, codes=None)
        assert row.public_id.startswith("dsc_")
    assert codes.find(session, shopify_shop.id, "thanks") is None


def test_nothing_found_changes_nothing(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    save(session, shopify_shop)
    assert rows("select * from discount_codes") == []


def test_shops_may_have_the_same_code(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    for shop in (shopify_shop, woo_shop):
        with db.transaction(shop=shop.id) as session:
            save(session, shop, replace(STATE, title=str(shop.id)))
    with db.transaction(shop=woo_shop.id) as session:
        found = codes.find(session, woo_shop.id, "thanks-10")
        assert found is not None
        assert found.title == str(woo_shop.id)


@pytest.mark.parametrize(("minutes", "used"), [(1, 9), (0, 9), (-1, 3)])
def test_of_two_reads_the_later_one_counts(session: Session, shopify_shop: TestShop, minutes: float, used: int) -> None:
    save(session, shopify_shop, STATE)
    save(session, shopify_shop, replace(STATE, code="THANKS-10", used=9), read_at=at(minutes))

    row = codes.find(session, shopify_shop.id, "thanks-10")
    assert row is not None
    assert row.used == used


def test_spellings_of_one_code_in_one_read_are_one_row_with_the_newest_version(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    newer = replace(STATE, code="THANKS-10", platform_id="78", source_version=at(5))
    save(session, shopify_shop, newer, replace(STATE, code="thanks-10"))
    assert [(row["code"], row["platform_id"]) for row in rows("select code, platform_id from discount_codes")] == [("THANKS-10", "78")]


def test_a_deleted_discount_takes_all_its_codes_with_it(session: Session, shopify_shop: TestShop) -> None:
    save(
        session, shopify_shop, replace(STATE, codes=2), replace(STATE, code="OTHER", codes=2), replace(STATE, code="MINE", platform_id="5")
    )

    assert codes.mark_deleted(session, shopify_shop.id, "77", at(1)) == 2
    session.expire_all()
    gone, mine = (codes.find(session, shopify_shop.id, code) for code in ("thanks-10", "mine"))
    assert gone is not None
    assert mine is not None
    assert codes.to_state(gone) is None
    assert codes.to_state(mine) is not None
    assert codes.mark_deleted(session, shopify_shop.id, "77", at(2)) == 0


@pytest.mark.parametrize(("seconds", "went"), [(59, 1), (61, 0)])
def test_a_deletion_is_told_in_whole_seconds_by_another_clock(session: Session, shopify_shop: TestShop, seconds: float, went: int) -> None:
    save(session, shopify_shop, STATE, read_at=T0 + timedelta(seconds=seconds))
    assert codes.mark_deleted(session, shopify_shop.id, "77", T0) == went


@pytest.mark.parametrize(
    ("platform_id", "ahead", "lives"),
    [("77", timedelta(seconds=-1), False), ("77", timedelta(seconds=1), True), ("99", timedelta(seconds=-1), True)],
)
def test_a_deleted_code_lives_again_if_a_read_that_began_later_finds_it_or_it_is_another_discounts(
    session: Session, shopify_shop: TestShop, platform_id: str, ahead: timedelta, lives: bool
) -> None:
    save(session, shopify_shop, STATE)
    codes.mark_deleted(session, shopify_shop.id, "77", T0)
    save(session, shopify_shop, replace(STATE, platform_id=platform_id), read_at=app_now(session) + ahead)

    row = codes.find(session, shopify_shop.id, "thanks-10")
    assert row is not None
    assert (codes.to_state(row) is not None) is lives


@pytest.mark.parametrize(("minutes", "rows_kept"), [(-1, 0), (0, 0), (1, 1)])
def test_a_discount_whose_deletion_came_before_it_was_ever_read_is_not_kept(
    session: Session, shopify_shop: TestShop, rows: Any, minutes: float, rows_kept: int
) -> None:
    removals.save_removals(session, shopify_shop.id, [Removed(Resource.DISCOUNT_CODE, T0, "77")])
    save(session, shopify_shop, STATE, read_at=at(minutes))
    assert len(rows("select * from discount_codes")) == rows_kept


@pytest.mark.parametrize(("count", "lives"), [(1, False), (2, True), (None, True)])
def test_the_former_name_of_a_discount_with_one_code_is_gone(
    session: Session, shopify_shop: TestShop, count: int | None, lives: bool
) -> None:
    save(session, shopify_shop, STATE)
    save(session, shopify_shop, replace(STATE, code="MERCI-10", codes=count), read_at=T0 + timedelta(minutes=1))

    former, renamed = (codes.find(session, shopify_shop.id, code) for code in ("thanks-10", "merci-10"))
    assert former is not None
    assert renamed is not None
    assert (former.deleted_at is None) is lives
    assert renamed.deleted_at is None
