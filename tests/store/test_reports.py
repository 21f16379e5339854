"""The figures of abandoned checkouts: what counts, on which day, in which currency."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.store import reports
from connector.store.db import Database
from connector.store.reports import DayFigures, Figures, ShopDays
from tests.conftest import TestShop
from tests.store.writing import Writer

PARIS = ZoneInfo("Europe/Paris")
FIRST = datetime(2026, 11, 10, tzinfo=PARIS)
NOON = FIRST.astimezone(UTC) + timedelta(hours=12)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def days(shop_id: int, count: int = 3, first: datetime = FIRST) -> ShopDays:
    """So many days from `first` on, by the clock of its place."""
    return ShopDays(shop_id, tuple(first + timedelta(days=n) for n in range(count + 1)))


def figures(db: Database, shop: TestShop, *spans: ShopDays) -> list[DayFigures]:
    with db.transaction(shop=shop.id) as session:
        return reports.daily_figures(session, spans or (days(shop.id),))


@pytest.fixture
def write(db: Database, shopify_shop: TestShop) -> Writer:
    return Writer(db, shopify_shop.id)


@pytest.mark.spec("SQ-09")
def test_every_figure_of_a_range_is_counted(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    write.checkout(abandoned_at=NOON, total=Decimal("100.10"))
    write.checkout(abandoned_at=NOON, total=Decimal("0.20"), email=None, email_norm=None)
    order = write.order(NOON + 5 * DAY, total=Decimal("48.00"))
    won = write.checkout(
        abandoned_at=NOON + DAY, total=Decimal(50), converted_at=NOON + 5 * DAY, converted_order_id=order, completed_at=NOON + 5 * DAY
    )
    write.message(won, NOON + DAY + HOUR)
    write.checkout()
    found = figures(db, shopify_shop)
    assert found == [
        DayFigures(0, "EUR", Figures(2, Decimal("100.30"), 1, 0, 0, Decimal(0))),
        DayFigures(1, "EUR", Figures(1, Decimal(50), 0, 1, 1, Decimal(48))),
    ]
    totals = reports.total_by_currency(found)
    assert totals == {"EUR": Figures(3, Decimal("150.30"), 1, 1, 1, Decimal(48))}
    assert totals["EUR"].rate == Decimal(1) / 3
    assert Figures().rate is None


def test_an_order_that_was_placed_before_makes_a_checkout_never_abandoned(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    for early in (NOON - HOUR, NOON):
        write.checkout(abandoned_at=NOON, converted_at=early, converted_order_id=write.order(early))
    write.checkout(abandoned_at=NOON, completed_at=NOON - HOUR)
    assert figures(db, shopify_shop) == []
    write.checkout(abandoned_at=NOON, completed_at=NOON + HOUR)
    assert figures(db, shopify_shop) == [DayFigures(0, "EUR", Figures(1, Decimal("12.50")))]


def test_an_order_that_ended_two_checkouts_is_worth_its_value_once(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    order = write.order(NOON + 2 * DAY, total=Decimal(30))
    for at in (NOON, NOON + DAY):
        write.checkout(abandoned_at=at, converted_at=NOON + 2 * DAY, converted_order_id=order)
    first, second = figures(db, shopify_shop)
    assert (first.figures.recovered, first.figures.recovered_value) == (1, Decimal(0))
    assert (second.figures.recovered, second.figures.recovered_value) == (1, Decimal(30))


def test_a_recovery_whose_order_is_no_longer_kept_is_worth_its_checkout(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    for _ in range(2):
        write.checkout(abandoned_at=NOON, converted_at=NOON + HOUR, total=Decimal(7))
    assert [one.figures.recovered_value for one in figures(db, shopify_shop)] == [14]


@pytest.mark.parametrize(
    ("order", "recovered", "value"),
    [
        ({"payment_state": "paid"}, 1, 9),
        ({"payment_state": "partially_refunded"}, 1, 9),
        ({"payment_state": "pending"}, 1, 0),
        ({"payment_state": "authorized"}, 1, 0),
        ({"payment_state": "refunded"}, 1, 0),
        ({"payment_state": "paid", "is_test": True}, 0, 0),
        ({"payment_state": "paid", "cancelled_at": NOON + HOUR}, 0, 0),
        ({"payment_state": "paid", "deleted_at": NOON + HOUR}, 0, 0),
    ],
)
def test_an_order_counts_once_it_is_paid_and_tests_and_cancelled_ones_never(
    db: Database, shopify_shop: TestShop, write: Writer, order: dict[str, Any], recovered: int, value: int
) -> None:
    order_id = write.order(NOON + HOUR, total=Decimal(9), **order)
    write.checkout(abandoned_at=NOON, converted_at=NOON + HOUR, converted_order_id=order_id)

    assert figures(db, shopify_shop) == [DayFigures(0, "EUR", Figures(1, Decimal("12.50"), 0, 0, recovered, Decimal(value)))]


@pytest.mark.spec("SQ-09")
def test_figures_of_different_currencies_are_never_added_up(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    write.checkout(abandoned_at=NOON, currency="USD", total=Decimal(5))
    order = write.order(NOON + HOUR, currency="USD", total=Decimal(9))
    sent = write.checkout(abandoned_at=NOON, converted_at=NOON + HOUR, converted_order_id=order)
    write.message(sent, NOON)
    write.checkout(abandoned_at=NOON)
    found = figures(db, shopify_shop)
    assert found == [
        DayFigures(0, "EUR", Figures(2, Decimal(25), 0, 1, 1, Decimal(0))),
        DayFigures(0, "USD", Figures(1, Decimal(5), 0, 0, 0, Decimal(9))),
    ]
    assert list(reports.total_by_currency(found)) == ["EUR", "USD"]


def test_only_mails_that_were_handed_over_count_as_sent_and_on_the_day_they_were(
    db: Database, shopify_shop: TestShop, write: Writer
) -> None:
    write.message(write.checkout(), NOON + 2 * DAY)
    for state in ("queued", "sending", "refused", "unknown", "cancelled"):
        write.message(write.checkout(), None, state=state)
    write.message(write.checkout(), NOON, channel="sms")
    assert figures(db, shopify_shop) == [DayFigures(2, "EUR", Figures(sent=1))]


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (FIRST - timedelta(microseconds=1), None),
        (FIRST, 0),
        (FIRST + timedelta(hours=23, minutes=59, seconds=59), 0),
        (FIRST + DAY, 1),
        (FIRST + 3 * DAY - timedelta(microseconds=1), 2),
        (FIRST + 3 * DAY, None),
    ],
)
def test_days_begin_at_midnight_in_the_place_of_the_shop(
    at: datetime, day: int | None, db: Database, shopify_shop: TestShop, write: Writer
) -> None:
    write.checkout(abandoned_at=at.astimezone(UTC))
    assert [one.day for one in figures(db, shopify_shop)] == ([] if day is None else [day])


def test_a_day_of_25_hours_keeps_its_last_hour(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    late = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)  # 23:30 in Paris, on the day on which clocks go back
    write.checkout(abandoned_at=late)
    span = days(shopify_shop.id, 2, datetime(2026, 10, 25, tzinfo=PARIS))
    assert [one.day for one in figures(db, shopify_shop, span)] == [0]


def test_shops_of_one_account_count_together_each_by_its_own_days_and_nobody_elses_do(
    db: Database, shopify_shop: TestShop, woo_shop: TestShop, write: Writer
) -> None:
    write.checkout(abandoned_at=NOON)
    other = Writer(db, woo_shop.id)
    other.checkout(abandoned_at=datetime(2026, 11, 10, 14, 30, tzinfo=UTC))  # 23:30 in Tokyo
    spans = (days(shopify_shop.id), days(woo_shop.id, first=datetime(2026, 11, 10, tzinfo=ZoneInfo("Asia/Tokyo"))))
    account = write.one("select account_id from shops where id = :id", id=shopify_shop.id)
    with db.transaction(account=account) as session:
        alone = reports.daily_figures(session, spans)
    assert [(one.day, one.figures.abandoned) for one in alone] == [(0, 1)]
    with db.system_transaction("a test") as session:
        both = reports.daily_figures(session, spans)
    assert [(one.day, one.figures.abandoned) for one in both] == [(0, 2)]
    with db.transaction(account=account) as session:
        assert reports.daily_figures(session, ()) == []


def test_the_newest_webhook_of_each_shop_is_found(db: Database, shopify_shop: TestShop, woo_shop: TestShop, write: Writer) -> None:
    for minutes, topic in ((0, "checkouts/create"), (2, "orders/create"), (1, "checkouts/update")):
        at = NOON + timedelta(minutes=minutes)
        write.insert(
            "deliveries",
            key=topic.encode(),
            shop_id=shopify_shop.id,
            platform="shopify",
            topic=topic,
            received_at=at,
            received_on=at.date(),
        )
    with db.system_transaction("a test") as session:
        found = reports.last_deliveries(session, [shopify_shop.id, woo_shop.id])
    assert found == {shopify_shop.id: reports.LastDelivery(shopify_shop.id, "orders/create", NOON + timedelta(minutes=2))}


def test_what_turning_off_would_cancel_is_counted(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    write.message(write.checkout(), None)
    write.message(write.checkout(), None)
    write.message(write.checkout(), NOON)
    with db.transaction(shop=shopify_shop.id) as session:
        assert reports.queued_count(session, shopify_shop.id) == 2
