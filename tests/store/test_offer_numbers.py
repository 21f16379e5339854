"""What offers did within thirty days: whom they went to, orders with their codes, and what those came to."""

import itertools
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Money
from connector.store import offer_numbers, offers, shops
from connector.store.audit import Actor
from connector.store.db import Database, app_now
from connector.store.ids import public_id, token
from connector.store.offer_numbers import OfferNumbers, numbers, numbers_of
from connector.store.offers import Terms
from connector.store.tables import ShopRow
from tests.conftest import TestShop
from tests.statements import before_statements
from tests.store.writing import Writer, clear

# In Paris it is the 22nd already.
NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BEGIN = datetime(2026, 10, 23, 22, 0, tzinfo=UTC)
"""The first instant of the 30 days in Paris, still in summer time."""
END = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
"""The first instant behind them."""
LONG_AGO = NOW - timedelta(days=90)
_NUMBERS = itertools.count(1)


class Offering(Writer):
    """Writes offers, grants and codes."""

    def offer(self, *codes: str, at: datetime = LONG_AGO, **changes: Any) -> int:
        """An active offer whose versions had these codes, each from a day later than the one before."""
        offer = self.insert(
            "offers", public_id=public_id("ofr"), shop_id=self.shop_id, name="Merci", state="active", version=len(codes), created_at=at,
            state_at=at, activated_at=at,
        )  # fmt: skip
        for number, code in enumerate(codes, 1):
            self.version(offer, number, at + timedelta(days=number - 1), **{"code": code} | changes)
        return offer

    def version(self, offer: int, number: int, at: datetime, **changes: Any) -> int:
        """One version of an offer."""
        values = {"headline": "", "body": "", "mode": "shared", "code": None, "is_ours": False, "once_per_customer": True, "prefix": "",
                  "locks_email": False, "most_uses": 0}  # fmt: skip
        return self.insert("offer_versions", shop_id=self.shop_id, offer_id=offer, version=number, at=at, **(values | changes))

    def grant(self, offer: int, at: datetime, **changes: Any) -> int:
        """Somebody was given an offer at `at`."""
        values = {"public_id": public_id("grt"), "state": "used", "state_at": at, "granted_at": at, "link_token": token(),
                  "code": "THANKS10", "person_key": f"email:{next(_NUMBERS)}@example.org"}  # fmt: skip
        version = self.one("select max(id) from offer_versions where offer_id = :offer", offer=offer)
        return self.insert("grants", shop_id=self.shop_id, offer_id=offer, version_id=version, **(values | changes))

    def unique(self, offer: int, code: str, **changes: Any) -> int:
        """A code that was made for one person."""
        values = {"public_id": public_id("ofc"), "role": "unique", "code": code, "wanted": "issued", "actual": "issued", "created_at": NOW,
                  "changed_at": NOW, "due_at": NOW}  # fmt: skip
        version = self.one("select max(id) from offer_versions where offer_id = :offer", offer=offer)
        return self.insert("offer_codes", shop_id=self.shop_id, offer_id=offer, version_id=version, **(values | changes))

    def bought(self, *codes: str, at: datetime = NOW, **changes: Any) -> int:
        """An order of 12.50 EUR with these codes."""
        return self.order(at, discount_codes=list(codes), **changes)


@pytest.fixture
def write(db: Database, shopify_shop: TestShop) -> Offering:
    """Writes rows of the Shopify shop, whose clock is that of Paris."""
    return Offering(db, shopify_shop.id)


def count(db: Database, write: Offering, offer: int, now: datetime = NOW) -> OfferNumbers:
    """The numbers as a page gets them."""
    with db.transaction(shop=write.shop_id) as session:
        return numbers(session, shops.get_shop(session, write.shop_id), offer, now)


def euros(*amounts: str) -> tuple[Money, ...]:
    """Money in the shop's currency."""
    return tuple(Money(Decimal(amount), "EUR") for amount in amounts)


def test_an_offer_to_which_nothing_happened_has_zeros(db: Database, write: Offering) -> None:
    assert count(db, write, write.offer("THANKS10")) == OfferNumbers(0, 0, (), (), date(2026, 10, 24), date(2026, 11, 22))
    with db.transaction(shop=write.shop_id) as session:
        assert numbers_of(session, shops.get_shop(session, write.shop_id), [], NOW) == {}


@pytest.mark.spec("SH-17")
@pytest.mark.parametrize(("at", "counts"), [(BEGIN - SECOND, False), (BEGIN, True), (NOW, True), (END - SECOND, True), (END, False)])
def test_thirty_days_of_the_shops_calendar_count(db: Database, write: Offering, at: datetime, counts: bool) -> None:
    offer = write.offer("THANKS10")
    write.bought("THANKS10", at=at)
    write.grant(offer, at)

    found = count(db, write, offer)
    assert (found.since, found.until) == (date(2026, 10, 24), date(2026, 11, 22))
    assert (found.recipients, found.orders, found.sales) == ((1, 1, euros("12.50")) if counts else (0, 0, ()))


@pytest.mark.spec("SH-17")
def test_the_numbers_of_the_next_day_are_without_the_oldest_day(db: Database, write: Offering) -> None:
    offer = write.offer("THANKS10")
    write.bought("THANKS10", at=BEGIN)
    assert [count(db, write, offer, NOW + timedelta(days=days)).orders for days in (0, 1)] == [1, 0]


def test_a_time_zone_that_is_not_known_counts_as_utc(db: Database, write: Offering) -> None:
    write.one("update shops set timezone = 'Mars/Olympus' returning 1")
    assert count(db, write, write.offer("THANKS10")).until == date(2026, 11, 21)


@pytest.mark.spec("SH-18")
def test_recipients_are_people_and_not_grants(db: Database, write: Offering) -> None:
    offer, other = write.offer("THANKS10"), write.offer("OTHER")
    write.grant(offer, NOW, person_key="email:anna@example.org")
    write.grant(offer, NOW - timedelta(days=5), person_key="email:anna@example.org")
    for state in ("live", "suspended", "used", "ended"):
        write.grant(offer, NOW, state=state)
    write.grant(other, NOW)
    # Whoever was erased was a person all the same.
    write.grant(offer, NOW, person_key=None)
    write.grant(offer, NOW, person_key=None)

    assert count(db, write, offer).recipients == 7


@pytest.mark.spec("SH-18")
def test_one_customer_with_two_addresses_is_one_recipient(db: Database, write: Offering) -> None:
    offer = write.offer("THANKS10")
    for key, customer in (("email:a@x.example", "7"), ("email:b@x.example", "7"), ("email:b@x.example", None), ("email:c@x.example", None)):
        write.grant(offer, NOW, person_key=key, customer_platform_id=customer)
    write.grant(offer, NOW, person_key="email:d@x.example", customer_platform_id="8")

    assert count(db, write, offer).recipients == 3


def test_who_waits_for_a_code_or_never_got_one_was_given_nothing(db: Database, write: Offering) -> None:
    offer = write.offer("THANKS10")
    write.grant(offer, NOW, state="preparing", code=None)
    write.grant(offer, NOW, state="ended", reason="code_refused", code=None)

    assert count(db, write, offer).recipients == 0


@pytest.mark.spec("SH-19")
def test_orders_that_came_with_the_code_count_once_each(db: Database, write: Offering) -> None:
    offer = write.offer("THANKS10")
    for codes in (["THANKS10"], ["thanks10"], ["Thanks10", "THANKS10"], ["SHIPFREE", "THANKS10"], ["THANKS100"], ["SHIPFREE"], []):
        write.bought(*codes)
    # However often the store says that it was used, only orders count.
    write.one("update discount_codes set used = 99 returning 1")

    assert count(db, write, offer).orders == 4


@pytest.mark.spec("SH-19")
@pytest.mark.parametrize(
    ("changes", "orders"),
    [
        ({"is_test": True}, 0),
        ({"deleted_at": NOW}, 0),
        ({"cancelled_at": NOW}, 1),
        ({"payment_state": "refunded"}, 1),
        ({"payment_state": "pending"}, 1),
    ],
)
def test_cancelled_and_refunded_orders_still_count_as_orders(db: Database, write: Offering, changes: dict[str, Any], orders: int) -> None:
    offer = write.offer("THANKS10")
    write.bought("THANKS10", **changes)
    assert count(db, write, offer).orders == orders


@pytest.mark.spec("SH-20")
@pytest.mark.parametrize(
    ("changes", "net"),
    [
        ({}, "12.50"),
        ({"payment_state": "partially_refunded", "refunded_total": Decimal("2.25")}, "10.25"),
        ({"payment_state": "refunded", "refunded_total": Decimal("12.50")}, "0"),
        ({"payment_state": "refunded"}, "0"),
        ({"payment_state": "voided"}, "0"),
        ({"cancelled_at": NOW}, "0"),
        ({"refunded_total": Decimal("13.00")}, "0"),
    ],
)
def test_sales_are_the_sum_of_totals_with_what_is_left_beside_it(db: Database, write: Offering, changes: dict[str, Any], net: str) -> None:
    offer = write.offer("THANKS10")
    write.bought("THANKS10", total=Decimal("100.10"))
    write.bought("THANKS10", **changes)

    found = count(db, write, offer)
    assert found.sales == euros("112.60")
    assert found.net == (Money(Decimal("100.10") + Decimal(net), "EUR"),)


@pytest.mark.spec("SH-20")
def test_sales_in_several_currencies_are_never_added(db: Database, write: Offering) -> None:
    offer = write.offer("THANKS10")
    for currency, total in (("USD", "20"), ("EUR", "1.10"), ("USD", "0.01"), ("JPY", "500")):
        write.bought("THANKS10", currency=currency, total=Decimal(total))

    found = count(db, write, offer)
    assert found.orders == 4
    assert found.sales == (Money(Decimal("1.10"), "EUR"), Money(Decimal(500), "JPY"), Money(Decimal("20.01"), "USD"))


def test_a_code_counts_from_when_it_became_the_offers_and_on_when_it_is_replaced(db: Database, write: Offering) -> None:
    begun = NOW - timedelta(days=10)
    offer = write.offer("FIRST", "SECOND", "FIRST", at=begun)
    for at in (begun - SECOND, begun, begun + timedelta(days=9)):
        write.bought("first", at=at)
    for at in (begun + timedelta(days=1) - SECOND, begun + timedelta(days=1)):
        write.bought("second", at=at)

    assert count(db, write, offer).orders == 3


def test_single_codes_and_the_one_that_stands_in_for_them_count(db: Database, write: Offering) -> None:
    offer, other = write.offer("x", mode="unique", fallback_code="SPARE"), write.offer("y", mode="unique")
    for code in ("MERCI-1", "MERCI-2"):
        write.unique(offer, code)
    write.unique(other, "MERCI-3")
    write.unique(offer, "HEAD", role="model")
    for code in ("merci-1", "MERCI-2", "MERCI-3", "Spare", "HEAD"):
        write.bought(code)
    write.bought("MERCI-1", "SPARE")

    assert count(db, write, offer).orders == 4
    assert count(db, write, other).orders == 1


def test_an_order_with_codes_of_two_offers_counts_for_both(db: Database, write: Offering) -> None:
    one, two, three = (write.offer(code) for code in ("ONE", "TWO", "THREE"))
    write.bought("ONE", "TWO")
    write.grant(two, NOW)
    asked: list[str] = []
    with db.transaction(shop=write.shop_id) as session:
        shop = shops.get_shop(session, write.shop_id)
        with before_statements(asked.append):
            found = numbers_of(session, shop, [one, two, three], NOW)

    assert {offer: (seen.recipients, seen.orders) for offer, seen in found.items()} == {one: (0, 1), two: (1, 1), three: (0, 0)}
    assert len(asked) == 1


def test_another_shops_orders_grants_and_offers_do_not_count(db: Database, write: Offering, woo_shop: TestShop) -> None:
    other = Offering(db, woo_shop.id)
    offer, theirs = write.offer("THANKS10"), other.offer("THANKS10")
    other.bought("THANKS10")
    other.grant(theirs, NOW)

    assert count(db, write, offer).orders == 0
    with db.system_transaction("a look without any wall") as session:
        found = numbers_of(session, shops.get_shop(session, write.shop_id), [offer, theirs], NOW)
    assert [(seen.recipients, seen.orders) for seen in found.values()] == [(0, 0), (0, 0)]


@pytest.mark.spec("SH-26")
def test_an_offer_after_a_deleted_one_starts_at_zero_though_its_code_is_the_same(db: Database, write: Offering) -> None:
    owner = Actor("merchant")
    with db.transaction(shop=write.shop_id) as session:
        shop = shops.get_shop(session, write.shop_id)
        first = offers.create_draft(session, shop, "First", Terms(code="THANKS10"), owner)
        now = app_now(session)
        assert first.id is not None
        write_now(session, write.shop_id, first.id, now)
        seen = numbers(session, shop, first.id, now)
        assert (seen.recipients, seen.orders, seen.sales) == (1, 1, euros("12.50"))
        offers.delete(session, shop, first, owner)
    with db.transaction(shop=write.shop_id) as session:
        shop = shops.get_shop(session, write.shop_id)
        second = offers.create_draft(session, shop, "Second", Terms(code="THANKS10"), owner)
        assert second.id is not None
        seen = numbers(session, shop, second.id, app_now(session))
        assert (seen.recipients, seen.orders, seen.sales, seen.net) == (0, 0, (), ())
        # What happened is kept for those who ask.
        assert [event.action for event in offers.list_events(session, first.id)] == ["deleted", "created"]


def write_now(session: Session, shop_id: int, offer_id: int, now: datetime) -> None:
    """An order with the code and a grant, within a transaction of a shop."""
    session.execute(
        text("""
            insert into orders (public_id, shop_id, platform_id, payment_state, currency, total, created_at, placed_at, source_version,
                source_triggered_at, source_progress, source_digest, is_test, taxes_included, discount_codes)
            values ('ord_1', :shop, '1', 'paid', 'EUR', 12.50, :now, :now, :now, :now, 0, 'd', false, false, '{thanks10}')
        """),
        {"shop": shop_id, "now": now},
    )
    session.execute(
        text("""
            insert into grants (public_id, shop_id, offer_id, version_id, state, state_at, granted_at, person_key, code, link_token)
            select 'grt_1', :shop, :offer, id, 'live', :now, :now, 'email:anna@example.org', 'THANKS10', 'link' from offer_versions
        """),
        {"shop": shop_id, "offer": offer_id, "now": now},
    )


MANY = 10_000
WITH_CODE = 40
FILL = """
    insert into orders (public_id, shop_id, platform_id, payment_state, currency, total, created_at, placed_at, source_version,
        source_triggered_at, source_progress, source_digest, is_test, taxes_included, discount_codes)
    select 'ord_' || n, :shop, 'p' || n, 'paid', 'EUR', 1, at, at, at, at, 0, 'd', false, false, {codes}
    from generate_series(cast(:first as int), cast(:last as int)) n, (select cast(:at as timestamptz) as at) t returning 1
"""
FILL_CODES = """
    insert into offer_codes (public_id, shop_id, offer_id, version_id, role, code, wanted, actual, created_at, changed_at, due_at)
    select 'ofc_' || n, :shop, v.offer_id, v.id, 'unique', 'MERCI-' || n, 'issued', 'issued', v.at, v.at, v.at
    from generate_series(1, cast(:many as int)) n, offer_versions v where v.offer_id = :offer returning 1
"""
FILL_GRANTS = """
    insert into grants (public_id, shop_id, offer_id, version_id, state, state_at, granted_at, code, link_token)
    select 'grt_' || n, :shop, v.offer_id, v.id, 'ended', :at, :at, 'MERCI-' || n, 'link-' || n
    from generate_series(1, cast(:many as int)) n, offer_versions v where v.offer_id = :offer returning 1
"""


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_among_many_orders_codes_and_grants_only_those_that_count_are_read(db: Database, write: Offering, is_analyzed: bool) -> None:
    """Orders without a code, or of long ago; single codes that nobody used; grants of long ago."""
    clear(db, "orders", "offer_codes", "grants")
    offer = write.offer("THANKS10", mode="unique")
    long_ago = NOW - timedelta(days=60)
    plain, used = FILL.format(codes="'{}'"), FILL.format(codes="array['merci-' || n]")
    write.one(plain, shop=write.shop_id, first=1, last=MANY, at=NOW)
    write.one(used, shop=write.shop_id, first=MANY + 1, last=MANY + 5_000, at=long_ago)
    write.one(used, shop=write.shop_id, first=2 * MANY, last=2 * MANY + WITH_CODE - 1, at=NOW)
    write.one(FILL_CODES, shop=write.shop_id, many=2 * MANY + WITH_CODE, offer=offer)
    write.one(FILL_GRANTS, shop=write.shop_id, many=5_000, offer=offer, at=long_ago)
    if is_analyzed:
        with db.engine.begin() as connection:
            connection.execute(text("analyze orders, offer_codes, grants, offer_versions, offers"))
    with db.transaction(shop=write.shop_id) as session:
        shop = shops.get_shop(session, write.shop_id)
        found = numbers(session, shop, offer, NOW)
        assert (found.orders, found.recipients) == (WITH_CODE, 0)
        plan = explain(session, shop, [offer])
    read = [int(rows) * int(loops) for rows, loops in re.findall(r"actual rows=(\d+)(?:\.\d+)? loops=(\d+)", plan)]
    thrown = [int(rows) for rows in re.findall(r"Rows Removed by [^:]+: (\d+)", plan)]
    assert max(read) <= WITH_CODE, plan
    assert sum(thrown) <= WITH_CODE, plan


def explain(session: Session, shop: ShopRow, offer_ids: Sequence[int]) -> str:
    """How the numbers' statement was carried out."""
    values = {"shop": shop.id, "offers": list(offer_ids), "since": BEGIN, "until": END}
    return "\n".join(session.execute(text("explain (analyze, timing off) " + offer_numbers._NUMBERS.text), values).scalars())
