"""Rows read back as the records they were made of, and what differs from what a store says now."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import (
    Channel,
    Checkout,
    Consent,
    ConsentState,
    Customer,
    DisputeChanged,
    LineItem,
    Order,
    PaymentState,
    Phone,
    Product,
    Removed,
    Resource,
    Stage,
    Variant,
)
from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.reading import Change
from connector.rules.comparing import resource_of
from connector.rules.syncing import RESOURCES
from connector.store import codes, comparing, people, products, records, removals
from connector.store.db import Database
from tests.conftest import TestShop
from tests.factories import at, make_cart, make_checkout, make_customer, make_line, make_order, make_product, terms
from tests.statements import before_statements

_NUMBERS = itertools.count(1)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
PERHAPS = st.none() | WORDS
MONEY = st.decimals(0, 99_999, places=2) | st.decimals(0, 9, places=4)
INSTANTS = st.integers(0, 10**8).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=seconds % 7)
)
PHONES = st.none() | st.builds(Phone, WORDS, st.none() | st.integers(600_000_000, 699_999_999).map(lambda number: f"+33{number}"))
IDS = st.builds(lambda: f"n{next(_NUMBERS)}")
EMAILS = st.none() | st.builds(lambda: f"Anna{next(_NUMBERS)}@example.org")
LINES = st.lists(st.builds(LineItem, IDS, WORDS, st.integers(0, 99), MONEY, MONEY, *[PERHAPS] * 5), max_size=3).map(tuple)
BOUGHT: dict[str, Any] = {
    **dict.fromkeys(("number", "cart_token", "customer_id", "first_name", "last_name", "country", "language"), PERHAPS),
    **dict.fromkeys(("subtotal", "discount_total", "tax_total"), st.none() | MONEY),
    "platform_id": IDS,
    "email": EMAILS,
    "phone": PHONES,
    "total": MONEY,
    "currency": st.sampled_from(["EUR", "JPY"]),
    "lines": LINES,
    "taxes_included": st.booleans(),
    "discount_codes": st.lists(WORDS, max_size=2).map(tuple),
    "source_version": INSTANTS,
    "created_at": INSTANTS,
}
ORDERS = st.builds(
    Order,
    **BOUGHT,
    placed_at=INSTANTS,
    payment_state=st.sampled_from(PaymentState),
    platform_status=PERHAPS,
    checkout_token=PERHAPS,
    cancelled_at=st.none() | INSTANTS,
    is_test=st.booleans(),
    paid_at=st.none() | INSTANTS,
    refunded_total=st.none() | MONEY,
    is_disputed=st.none() | st.booleans(),
)
CHECKOUTS = st.builds(
    Checkout,
    **BOUGHT,
    stage=st.sampled_from(Stage),
    **dict.fromkeys(("token", "company", "shipping_method", "recovery_url"), PERHAPS),
    checkout_phone=PHONES,
    accepts_email=st.booleans(),
    accepts_sms=st.booleans(),
    completed_at=st.none() | INSTANTS,
    closed_at=st.none() | INSTANTS,
)
CONSENTS = st.lists(
    st.builds(Consent, st.sampled_from(Channel), st.sampled_from(ConsentState), INSTANTS, WORDS),
    max_size=3,
    unique_by=lambda one: one.channel,
)
CUSTOMERS = st.builds(
    Customer,
    IDS,
    INSTANTS,
    EMAILS,
    *[PERHAPS] * 3,
    PHONES,
    *[PERHAPS] * 2,
    created_at=st.none() | INSTANTS,
    consents=CONSENTS.map(tuple),
)
VARIANTS = st.builds(Variant, IDS, PERHAPS, PERHAPS, st.none() | MONEY, PERHAPS, st.none() | st.booleans(), PERHAPS)
PRODUCTS = st.builds(
    Product,
    IDS,
    INSTANTS,
    WORDS,
    PERHAPS,
    st.lists(WORDS, max_size=2).map(tuple),
    *[PERHAPS] * 3,
    variants=st.lists(VARIANTS, max_size=3).map(tuple),
)
CODES = st.builds(
    CodeState,
    IDS,
    INSTANTS,
    IDS.map(str.upper),
    st.sampled_from(CodeKind),
    st.sampled_from(CodeStatus),
    PERHAPS,
    st.none() | MONEY,
    st.none() | st.just("EUR"),
    st.none() | INSTANTS,
    st.none() | INSTANTS,
    usage_limit=st.none() | st.integers(0, 99),
    used=st.integers(0, 99),
    once_per_customer=st.booleans(),
    minimum_subtotal=st.none() | MONEY,
    restrictions=st.lists(st.sampled_from(Restriction), max_size=2).map(tuple),
    codes=st.none() | st.integers(1, 9),
)


def save(session: Session, shop: TestShop, told: Sequence[Change]) -> None:
    """Write records of any kinds, as applying them does."""
    orders = [one for one in told if isinstance(one, Order)]
    customers = [one for one in told if isinstance(one, Customer)]
    records.save_checkouts(session, terms(shop), [one for one in told if isinstance(one, Checkout)])
    records.save_orders(session, shop.id, orders)
    disputes = [DisputeChanged(one.platform_id, one.is_disputed, one.source_version) for one in orders if one.is_disputed is not None]
    records.save_disputes(session, shop.id, disputes)
    records.save_customers(session, shop.id, customers)
    people.save_consents(session, shop.id, people.consent_words(customers))
    products.save_products(session, shop.id, [one for one in told if isinstance(one, Product)], at(60))
    codes.save_codes(session, shop.id, [one for one in told if isinstance(one, CodeState)], at(60))


@pytest.mark.parametrize(
    "kind", [ORDERS, CHECKOUTS, CUSTOMERS, PRODUCTS, CODES], ids=["orders", "checkouts", "customers", "products", "codes"]
)
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_was_saved_is_found_again_without_a_difference(
    session: Session, shopify_shop: TestShop, kind: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    told = data.draw(st.lists(kind, min_size=1, max_size=4))
    before = comparing.compare(session, shopify_shop.id, told)
    assert (before.missing, before.unchanged, len(before.news)) == (len(told), 0, len(told))
    assert before.ours_digest == 0 != before.store_digest

    save(session, shopify_shop, told)
    after = comparing.compare(session, shopify_shop.id, told)

    assert [one.fields for one in after.differences] == []
    assert (after.unchanged, after.missing, after.changed, after.newer, after.news) == (len(told), 0, 0, 0, [])
    assert after.store_digest == after.ours_digest != 0


@pytest.mark.parametrize(
    "record",
    [
        make_order(lines=(make_line(), make_line("102", 3)), discount_codes=("A",), phone=Phone("06"), is_disputed=False),
        make_checkout(checkout_phone=Phone("06 1", "+33611111111"), lines=(make_line("102"), make_line())),
        make_customer(consents=(Consent(Channel.SMS, ConsentState.SUBSCRIBED, at(-9), "store"),)),
        make_product(categories=("A", "B")),
        CodeState("77", at(), "Merci10", CodeKind.PERCENTAGE, CodeStatus.ACTIVE, value=Decimal(10), restrictions=(Restriction.EMAILS,)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_is_loaded_is_what_was_saved(session: Session, shopify_shop: TestShop, woo_shop: TestShop, record: Change) -> None:
    save(session, shopify_shop, [record])
    name = record.code if isinstance(record, CodeState) else record.platform_id

    loaded = comparing.load(session, shopify_shop.id, resource_of(record), [name, "other"])

    (found,) = loaded.values()
    assert getattr(found, "triggered_at", record.source_version) == record.source_version
    assert (found if isinstance(found, Product | CodeState) else replace(found, triggered_at=None)) == record
    assert comparing.load(session, woo_shop.id, resource_of(record), [name]) == {}


def test_of_a_record_that_is_named_twice_the_newest_counts(session: Session, shopify_shop: TestShop) -> None:
    newest = make_order(at(20), total=Decimal(9))
    told = [newest, make_order(at(10))]

    assert comparing.compare(session, shopify_shop.id, told).news == [newest]
    save(session, shopify_shop, told)
    assert comparing.compare(session, shopify_shop.id, told).unchanged == 1


def test_a_record_of_which_we_know_a_newer_version_is_no_difference(session: Session, shopify_shop: TestShop) -> None:
    save(session, shopify_shop, [make_order(at(20))])

    found = comparing.compare(session, shopify_shop.id, [make_order(at(10), total=Decimal(9))])

    assert (found.newer, found.news, found.differences, found.store_digest, found.ours_digest) == (1, [], [], 0, 0)


@pytest.mark.parametrize("told", [make_order(at(10)), make_checkout(at(10)), make_customer(at(10))], ids=lambda one: type(one).__name__)
def test_what_was_told_of_the_same_second_since_the_store_was_asked_is_newer(
    session: Session, shopify_shop: TestShop, told: Order | Checkout | Customer
) -> None:
    """Platforms stamp whole seconds: two versions of one second are told apart by when they were told. Writing keeps the same one."""
    read = replace(told, first_name="Read")
    save(session, shopify_shop, [replace(told, first_name="Told", triggered_at=at(20))])

    before = comparing.compare(session, shopify_shop.id, [read], read_at=at(19))
    assert (before.newer, before.news, before.differences, before.store_digest, before.ours_digest) == (1, [], [], 0, 0)
    since = comparing.compare(session, shopify_shop.id, [read], read_at=at(21))
    assert (since.newer, since.changed, since.news) == (0, 1, [read])
    same = comparing.compare(session, shopify_shop.id, [replace(told, first_name="Told")], read_at=at(19))
    assert (same.newer, same.unchanged) == (0, 1)
    assert same.store_digest == same.ours_digest != 0


def test_a_record_that_differs_is_named_with_its_fields_and_is_news_with_what_the_store_does_not_tell(
    session: Session, shopify_shop: TestShop
) -> None:
    save(session, shopify_shop, [make_order(at(10), checkout_token="tok-1"), make_order(at(10), platform_id="other")])
    told = make_order(at(12), placed_at=at(10), lines=(make_line(quantity=2, total=Decimal("12.50")),))

    found = comparing.compare(session, shopify_shop.id, [told, make_order(at(10), platform_id="other")])

    assert (found.changed, found.unchanged) == (1, 1)
    assert found.news == [replace(told, checkout_token="tok-1")]
    (difference,) = found.differences
    assert (difference.resource, difference.platform_id, difference.kind) == (Resource.ORDER, "6210", "changed")
    assert difference.fields["lines[1].quantity"] == ("1", "2")
    assert set(difference.fields) == {"source_version", "created_at", "lines[1].quantity"}
    assert found.store_digest != found.ours_digest


def test_a_removed_record_that_the_store_shows_is_a_difference(session: Session, shopify_shop: TestShop) -> None:
    save(session, shopify_shop, [make_order(at(10)), make_customer(), make_product()])
    gone = [Removed(Resource.ORDER, at(20), platform_id="6210"), Removed(Resource.CUSTOMER, at(20), platform_id="7340")]
    removals.save_removals(session, shopify_shop.id, gone)
    removals.settle_removals(session, shopify_shop.id, gone, {})
    products.mark_deleted(session, shopify_shop.id, ["p101"])

    found = comparing.compare(session, shopify_shop.id, [make_order(at(10)), make_customer(), make_product()])

    assert (found.changed, found.ours_digest) == (3, 0)
    assert [one.fields["is_deleted"] for one in found.differences] == [("yes", "no")] * 3
    assert comparing.load(session, shopify_shop.id, Resource.ORDER, ["6210"]) == {}


def test_a_cart_and_a_checkout_of_one_id_are_two_records(session: Session, shopify_shop: TestShop) -> None:
    both = [make_cart(at(1)), make_checkout(at(1), platform_id="cart-1")]
    save(session, shopify_shop, both[:1])

    found = comparing.compare(session, shopify_shop.id, both)

    assert (found.unchanged, found.news) == (1, both[1:])


def test_a_word_of_consent_that_another_record_told_is_the_customers(session: Session, shopify_shop: TestShop) -> None:
    """A ticked box in a checkout is newer than what the customer's record says: it stays, and is no difference."""
    said = Consent(Channel.EMAIL, ConsentState.UNSUBSCRIBED, at(-60), "store")
    save(session, shopify_shop, [make_customer(consents=(said,))])
    people.save_consents(session, shopify_shop.id, people.consent_words([make_checkout(accepts_email=True)]))

    found = comparing.compare(session, shopify_shop.id, [make_customer(consents=(said,))])

    assert (found.unchanged, found.news) == (1, [])


def test_a_language_that_only_reading_tells_outlives_a_webhook_that_does_not(session: Session, shopify_shop: TestShop) -> None:
    save(session, shopify_shop, [make_customer(at(1), language="fr")])
    save(session, shopify_shop, [make_customer(at(2), first_name="Ana")])

    found = comparing.compare(session, shopify_shop.id, [make_customer(at(2), first_name="Ana", language="fr")])

    assert (found.unchanged, found.news) == (1, [])


def test_a_listed_checkout_is_completed_by_what_its_webhook_told_and_nothing_is_guessed(session: Session, shopify_shop: TestShop) -> None:
    told = make_checkout(cart_token="cart-1", number="#9", accepts_email=True, checkout_phone=Phone("06 1", "+33611111111"))
    numbered = make_checkout(platform_id="tok-2", token="tok-2", number="#10", email="ben@example.org")
    cart = make_cart(at(1), number="#11")
    save(session, shopify_shop, [told, numbered, cart])
    listed = [
        replace(told, platform_id="900", token=None, email=None, checkout_phone=None, accepts_email=False, lines=(make_line(key="other"),)),
        replace(numbered, platform_id="901", token=None, email=None, source_version=at(5), total=Decimal(9)),
        replace(cart, platform_id="902", stage=Stage.CHECKOUT, cart_token=None),
        replace(numbered, platform_id="903", token=None, email=None, number=None),
    ]

    whole, unknown = comparing.complete_checkouts(session, shopify_shop.id, listed)

    assert whole == [told, replace(numbered, source_version=at(5), total=Decimal(9))]
    assert unknown == listed[2:]
    found = comparing.compare(session, shopify_shop.id, whole)
    assert (found.unchanged, [set(one.fields) for one in found.differences]) == (1, [{"source_version", "total"}])


def test_a_line_that_stands_for_something_else_keeps_the_stores_own_key(session: Session, shopify_shop: TestShop) -> None:
    told = make_checkout(cart_token="cart-1", lines=(make_line(image_url="https://cdn.example/1.jpg"), make_line("102")))
    save(session, shopify_shop, [told])
    lines = (make_line(key="a"), make_line("103", key="b"), make_line("104", key="c"))

    ((whole,), _) = comparing.complete_checkouts(session, shopify_shop.id, [replace(told, platform_id="900", token=None, lines=lines)])

    assert [(one.key, one.image_url) for one in whole.lines] == [("k101", "https://cdn.example/1.jpg"), ("b", None), ("c", None)]


def see(session: Session, shop: TestShop, run: int, kind: Resource, platform_id: str) -> None:
    """A run saw a record in the store."""
    values = {"shop": shop.id, "run": run, "kind": kind.value, "id": platform_id}
    session.execute(text("insert into sync_seen (shop_id, run_id, resource, platform_id) values (:shop, :run, :kind, :id)"), values)


def test_what_a_run_has_not_seen_in_its_span_may_be_gone(session: Session, shopify_shop: TestShop) -> None:
    for number in range(5):
        save(session, shopify_shop, [make_order(at(number), platform_id=str(number)), make_customer(at(number), platform_id=str(number))])
    see(session, shopify_shop, 7, Resource.ORDER, "1")
    see(session, shopify_shop, 8, Resource.ORDER, "2")
    see(session, shopify_shop, 7, Resource.CUSTOMER, "3")
    removed = Removed(Resource.ORDER, at(20), platform_id="4")
    removals.save_removals(session, shopify_shop.id, [removed])
    removals.settle_removals(session, shopify_shop.id, [removed], {})

    def unseen(kind: Resource = Resource.ORDER, **span: datetime) -> list[str]:
        return sorted(comparing.missing_here_or_there(session, 7, shopify_shop.id, kind, **span))

    assert unseen() == ["0", "2", "3"]
    assert unseen(since=at(2), until=at(3)) == ["2"]
    assert unseen(created_since=at(3)) == ["3"]
    assert unseen(Resource.CUSTOMER) == ["0", "1", "2", "4"]


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_kind_can_be_walked(session: Session, shopify_shop: TestShop, kind: Resource) -> None:
    code = CodeState("p101", at(), "MERCI10", CodeKind.PERCENTAGE, CodeStatus.ACTIVE)
    told: list[Change] = [
        make_order(platform_id="p101"),
        make_checkout(platform_id="p101"),
        make_customer(platform_id="p101"),
        make_product(),
        code,
    ]
    save(session, shopify_shop, told)

    assert comparing.missing_here_or_there(session, 7, shopify_shop.id, kind, created_since=at(-60)) == ["p101"]
    see(session, shopify_shop, 7, kind, "p101")
    assert comparing.missing_here_or_there(session, 7, shopify_shop.id, kind) == []


def test_however_many_are_compared_it_takes_as_few_statements(db: Database, shopify_shop: TestShop) -> None:
    told: list[Change] = [make_order(platform_id=str(number)) for number in range(50)]
    told += [make_customer(platform_id=str(number)) for number in range(50)]
    asked: list[str] = []
    with db.transaction(shop=shopify_shop.id) as session:
        with before_statements(asked.append):
            comparing.compare(session, shopify_shop.id, told)
        save(session, shopify_shop, told)
        new = len(asked)
        with before_statements(asked.append):
            assert comparing.compare(session, shopify_shop.id, told).unchanged == 100

    assert (new, len(asked) - new) == (2, 4)
