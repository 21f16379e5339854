"""Reading a store: what is read is the record its webhook gave, page by page, span by span, and nothing withheld reads as nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from connector.canonical import Channel, Checkout, Consent, ConsentState, Customer, Order, Product, Resource
from connector.codes import CodeState
from connector.platforms import NotPermitted, Rejected
from connector.reading import Change, Count, Page
from integrations.sandbox.shopify_bodies import checkout_body, customer_body, order_body
from integrations.sandbox.shopify_shop import Marketing, Shopper
from integrations.shopify import queries
from tests.integrations.graph_kit import MARY, SCOPES, START
from tests.integrations.reads_kit import ACCESS, Store
from tests.integrations.shopify_bodies import read

KINDS = [Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.CHECKOUT, Resource.DISCOUNT_CODE]


@pytest.fixture
def store() -> Store:
    """A shop with its catalogue, in which nobody has bought anything yet."""
    return Store()


def everything(
    store: Store, what: Resource, since: datetime | None = None, until: datetime | None = None, ask: Callable[..., Page] | None = None
) -> list[Any]:
    """All records of a span of time, page by page."""
    found: list[Change] = []
    cursor = None
    while True:
        store.rest()
        page = (ask or store.reads.changes)(ACCESS, what, since, until, cursor)
        assert (page.unreadable, page.withheld) == ((), ())
        found += page.records
        cursor = page.cursor
        if cursor is None:
            return found


def add_discount(store: Store, code: str = "MERCI10") -> int:
    wanted = {"title": code, "code": code, "startsAt": START, "context": {"all": "ALL"}, "appliesOncePerCustomer": True}
    gets = {"value": {"percentage": 0.1}, "items": {"all": True}}
    return store.twin.shop.discounts.add("DiscountCodeBasic", wanted | {"customerGets": gets}).id


class TestRecords:
    def test_a_read_order_is_the_record_its_webhook_gave(self, store: Store) -> None:
        order = store.twin.buy(quantity=2)
        (found,) = everything(store, Resource.ORDER)
        told, _ = read("orders/create", order_body(store.twin.shop, order))
        assert isinstance(told, Order)
        assert found == replace(told, language=found.language, triggered_at=None, is_disputed=False)

    def test_a_read_customer_is_the_one_of_the_webhook_with_language_and_consent(self, store: Store) -> None:
        store.twin.buy()
        (kept,) = store.twin.shop.customers.values()
        kept.email_marketing = Marketing("subscribed", START)
        kept.sms_marketing = Marketing("unsubscribed", START + timedelta(hours=1))
        (found,) = everything(store, Resource.CUSTOMER)
        (told,) = read("customers/update", customer_body(store.twin.shop, kept))
        assert isinstance(told, Customer)
        assert found == replace(told, language="en", consents=found.consents, triggered_at=None)
        assert found.consents == (
            Consent(Channel.EMAIL, ConsentState.SUBSCRIBED, START, "platform"),
            Consent(Channel.SMS, ConsentState.UNSUBSCRIBED, START + timedelta(hours=1), "platform"),
        )

    def test_c74_an_abandoned_checkout_is_read_by_number_and_cart_token_and_nothing_is_guessed(self, store: Store) -> None:
        shop = store.twin.shop
        checkout = shop.open_checkout([shop.find_line("CEDAR-L", 2)])
        checkout.customer, checkout.email, checkout.address = shop.keep_customer(MARY), "somebody.else@example.com", MARY.address
        (found,) = everything(store, Resource.CHECKOUT)
        told, _ = read("checkouts/update", checkout_body(shop, checkout))
        assert isinstance(told, Checkout)
        assert (found.number, found.cart_token, found.recovery_url) == (told.number, told.cart_token, told.recovery_url)
        assert (found.total, found.currency, found.checkout_phone) == (told.total, told.currency, told.checkout_phone)
        assert (found.platform_id, found.token) == (str(checkout.number), None)
        # What was typed in the checkout is not told, nor what was ticked there.
        assert (told.email, found.email, found.accepts_email, found.accepts_sms) == (
            "somebody.else@example.com",
            "mary@example.com",
            False,
            False,
        )
        assert [(line.quantity, line.unit_price, line.total) for line in found.lines] == [(2, Decimal("32.00"), Decimal("64.00"))]
        assert (found.lines[0].image_url or "").startswith("https://")

    def test_a_guest_without_customer_has_no_address_there(self, store: Store) -> None:
        shop = store.twin.shop
        checkout = shop.open_checkout([shop.find_line("CEDAR-L", 1)])
        checkout.email = "typed@example.com"
        found = everything(store, Resource.CHECKOUT)
        assert [(one.email, one.customer_id, one.phone) for one in found] in ([], [(None, None, None)])

    def test_a_product_says_what_can_be_bought_and_under_what_it_is_counted(self, store: Store) -> None:
        product, variant = store.twin.shop.find_variant("CEDAR-L")
        variant.stock = 0
        found = {one.platform_id: one for one in everything(store, Resource.PRODUCT)}[str(product.id)]
        assert [(one.sku, one.is_available, one.inventory_item_id) for one in found.variants] == [
            (one.sku, one.is_available, str(one.inventory_item_id)) for one in product.variants
        ]
        assert {one.is_available for one in found.variants} == {True, False}

    def test_what_stands_behind_the_first_page_of_a_record_is_read_too(self, store: Store) -> None:
        shop = store.twin.shop
        checkout = shop.open_checkout([shop.find_line("CEDAR-L", number + 1) for number in range(130)])
        checkout.customer = shop.keep_customer(MARY)
        (listed,) = everything(store, Resource.CHECKOUT)
        shop.place_order(checkout, "paid", "bogus")
        (order,) = everything(store, Resource.ORDER)
        product, variant = shop.find_variant("SALT-SOAP")
        product.variants += [replace(variant, id=variant.id + number, sku=f"SOAP-{number}") for number in range(1, 120)]
        store.rest()
        found = store.reads.record_now(ACCESS, Resource.PRODUCT, str(product.id))
        assert isinstance(found, Product)
        assert [one.sku for one in found.variants] == ["SALT-SOAP", *(f"SOAP-{number}" for number in range(1, 120))]
        for record in (listed, order):
            assert sorted(line.quantity for line in record.lines) == list(range(1, 131))

    def test_discount_codes_are_read_too(self, store: Store) -> None:
        number = add_discount(store)
        (found,) = everything(store, Resource.DISCOUNT_CODE)
        assert isinstance(found, CodeState)
        assert (found.code, found.platform_id) == ("MERCI10", str(number))


class TestSpans:
    def test_pages_hold_all_records_once_oldest_change_first(self, store: Store) -> None:
        for number in range(25):
            store.twin.buy(shopper=Shopper(f"shopper{number}@example.com", "S"), minutes=7)
        orders = everything(store, Resource.ORDER)
        assert [one.platform_id for one in orders] == [str(number) for number in store.twin.shop.orders]
        assert len(everything(store, Resource.CHECKOUT)) == len({one.platform_id for one in orders}) == 25
        assert sorted(everything(store, Resource.CUSTOMER), key=lambda one: one.source_version) == everything(store, Resource.CUSTOMER)

    @pytest.mark.parametrize("what", [Resource.ORDER, Resource.CUSTOMER, Resource.CHECKOUT])
    def test_a_span_has_its_first_instant_and_not_its_last(self, store: Store, what: Resource) -> None:
        for number in range(6):
            store.twin.buy(shopper=Shopper(f"shopper{number}@example.com", "S"), minutes=10)
        since, until = START + timedelta(minutes=20), START + timedelta(minutes=50)
        found = everything(store, what, since, until)
        assert sorted(one.source_version for one in found) == [START + timedelta(minutes=minutes) for minutes in (20, 30, 40)]
        assert len(everything(store, what, since + timedelta(microseconds=1), until + timedelta(microseconds=1))) == 3
        assert everything(store, what, START + timedelta(hours=9)) == []

    @pytest.mark.parametrize("hour", [1, 3, 12, 23])
    def test_customers_are_asked_for_by_whole_days_of_any_clock(self, store: Store, hour: int) -> None:
        """Shopify's day is the shop's, here that of New York: an instant of the early morning belongs to the day before."""
        store.twin.at = datetime(2026, 11, 20, hour, tzinfo=UTC)
        store.twin.buy(minutes=5)
        (found,) = store.twin.shop.customers.values()
        for since, until, expected in (
            (found.updated_at, found.updated_at + timedelta(seconds=1), 1),
            (found.updated_at - timedelta(hours=1), found.updated_at, 0),
            (found.updated_at + timedelta(seconds=1), None, 0),
        ):
            assert len(everything(store, Resource.CUSTOMER, since, until)) == expected
        assert all("T" not in str(asked["query"]) for asked in store.asked)

    @pytest.mark.parametrize(
        ("since", "until"), [(START, START + timedelta(minutes=11)), (START + timedelta(minutes=111), START + timedelta(days=2))]
    )
    def test_of_a_days_customers_only_those_near_the_span_are_passed(self, store: Store, since: datetime, until: datetime) -> None:
        for number in range(120):
            store.twin.buy(shopper=Shopper(f"shopper{number}@example.com", "S"), minutes=1)
        assert len(everything(store, Resource.CUSTOMER, since, until)) == 10
        assert len(store.requests) in (1, 3)

    def test_the_last_minutes_customers_are_one_page_however_long_the_day_was(self, store: Store) -> None:
        for number in range(120):
            store.twin.buy(shopper=Shopper(f"shopper{number}@example.com", "S"), minutes=1)
        found = everything(store, Resource.CUSTOMER, START + timedelta(minutes=110), START + timedelta(minutes=120))
        assert [one.source_version for one in found] == [START + timedelta(minutes=minutes) for minutes in range(119, 109, -1)]
        assert len(store.requests) == 1

    def test_what_moves_while_pages_are_read_is_met_again_and_never_missed(self, store: Store) -> None:
        for _ in range(15):
            store.twin.buy(minutes=10)
        first = store.reads.changes(ACCESS, Resource.ORDER, START)
        moved = next(iter(store.twin.shop.orders.values()))
        moved.updated_at = store.twin.at + timedelta(minutes=1)
        store.rest()
        second = store.reads.changes(ACCESS, Resource.ORDER, START, None, first.cursor)
        ids = [one.platform_id for one in (*first.records, *second.records) if isinstance(one, Order)]
        assert (len(ids), len(set(ids)), ids.count(str(moved.id))) == (16, 15, 2)

    def test_a_shop_is_no_list(self, store: Store) -> None:
        with pytest.raises(Rejected):
            store.reads.changes(ACCESS, Resource.SHOP, None)

    @pytest.mark.parametrize("what", KINDS)
    def test_counting_counts_what_changes_gives(self, store: Store, what: Resource) -> None:
        for number in range(3):
            store.twin.buy(shopper=Shopper(f"shopper{number}@example.com", "S"), minutes=10)
        add_discount(store)
        since = START + timedelta(minutes=20)
        assert store.reads.count(ACCESS, what) == Count(len(everything(store, what)))
        if what is not Resource.CUSTOMER:
            assert store.reads.count(ACCESS, what, since) == Count(len(everything(store, what, since)))

    def test_more_than_shopify_counts_exactly_is_at_least_so_many(self, store: Store) -> None:
        store.answers.append(httpx2.Response(200, json={"data": {"found": {"count": 10000, "precision": "AT_LEAST"}}}))
        assert store.reads.count(ACCESS, Resource.ORDER) == Count(10000, is_exact=False)

    def test_what_may_not_be_counted_is_not_none(self, store: Store) -> None:
        store.scopes = ("read_products",)
        with pytest.raises(NotPermitted):
            store.reads.count(ACCESS, Resource.ORDER)
        with pytest.raises(Rejected):
            store.reads.count(ACCESS, Resource.SHOP)


class TestWithheld:
    def test_a_missing_scope_is_not_permitted(self, store: Store) -> None:
        store.scopes = tuple(scope for scope in SCOPES if scope != "read_orders")
        for what in (Resource.ORDER, Resource.CHECKOUT):
            with pytest.raises(NotPermitted):
                store.reads.changes(ACCESS, what, None)

    def test_withheld_fields_leave_the_rest_and_are_named_once(self, store: Store) -> None:
        store.twin.buy()
        store.twin.buy(shopper=Shopper("lea@example.com", "Léa"))
        store.twin.shop.withheld = {"email", "phone", "name"}
        page = store.reads.changes(ACCESS, Resource.CUSTOMER, None)
        assert [(one.email, one.first_name, one.consents) for one in page.records if isinstance(one, Customer)] == [(None, None, ())] * 2
        assert {"customers.nodes.firstName", "customers.nodes.defaultEmailAddress"} <= {
            name if "defaultEmailAddress" not in name else "customers.nodes.defaultEmailAddress" for name in page.withheld
        }
        assert len(set(page.withheld)) == len(page.withheld)
        assert not any(part.isdigit() for name in page.withheld for part in name.split("."))

    def test_one_record_that_makes_no_sense_does_not_hold_up_the_others(self, store: Store) -> None:
        for _ in range(3):
            store.twin.buy()
        odd, *_ = store.twin.shop.orders.values()
        answer = store.twin.ask(queries.ORDERS, first=10, query="")
        answer["data"]["orders"]["nodes"][0]["totalPriceSet"] = None
        store.answers.append(httpx2.Response(200, json=answer))
        page = store.reads.changes(ACCESS, Resource.ORDER, None)
        assert (len(page.records), page.unreadable) == (2, (f"{odd.id}: missing_total",))
