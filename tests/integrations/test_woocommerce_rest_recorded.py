"""What our reads make of each answer that a real store gave, where RECORDED_DIR says they are; without it these tests are skipped."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from connector.canonical import Checkout, Customer, Order, PaymentState, Product, Resource
from connector.platforms import AccessLost, NotPermitted, PayloadError, PlatformError, Rejected, TransientError
from connector.reading import Count, LineNow
from integrations.woocommerce import client, reading, walks
from integrations.woocommerce.pages import CUSTOMERS, ORDERS
from integrations.woocommerce.variants import read_variations
from tests.integrations.woo_kit import ACCESS, WooStore

RECORDED = Path(os.environ["RECORDED_DIR"]) / "woocommerce" / "rest" if "RECORDED_DIR" in os.environ else None
SKIPPED = pytest.mark.skip(reason="RECORDED_DIR is not set")
NOT_MINE = {*range(1, 3), *range(15, 25), 33, 34, 42, *range(55, 60), *range(62, 65)}
"""Webhooks and coupons: used where those are tested."""
used: set[int] = set()


def recorded(*numbers: int) -> Any:
    """Mark a test as one about these exchanges."""
    used.update(numbers)
    return pytest.mark.skipif(RECORDED is None, reason="RECORDED_DIR is not set")


def load(number: int) -> dict[str, Any]:
    assert RECORDED is not None
    (path,) = RECORDED.glob(f"{number:03}-*.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def body_of(number: int) -> Any:
    return load(number)["response"]["json"]


def answer(number: int) -> httpx2.Response:
    """The recorded answer; it was stored unpacked and whole."""
    found = load(number)["response"]
    carried = [(name, value) for name, value in found["headers"] if name.lower().startswith(("x-wp", "date", "content-type", "link"))]
    return httpx2.Response(found["status"], headers=carried, content=json.dumps(found["json"]))


def store(*numbers: int) -> WooStore:
    """A store that gives these answers, one after the other."""
    return WooStore(answers=[answer(number) for number in numbers])


def asked_for(number: int) -> dict[str, str]:
    """The recorded query."""
    return {name: values[0] for name, values in parse_qs(load(number)["request"]["query"]).items()}


# ---------------------------------------------------------------- orders


@recorded(3)
def test_drafts_are_checkouts_and_more_pages_follow() -> None:
    one = store(52, 3)
    page = one.reads.changes(ACCESS, Resource.CHECKOUT, None)
    assert [found.platform_id for found in page.records] == ["147", "145"]
    assert all(isinstance(found, Checkout) and found.closed_at is None for found in page.records)
    assert page.cursor is not None
    assert one.asked[1][1]["status"].split(",")[0] == asked_for(3)["status"]


@recorded(4)
def test_a_draft_as_it_is_now() -> None:
    found = store(4).reads.record_now(ACCESS, Resource.CHECKOUT, "147")
    assert isinstance(found, Checkout)
    assert (found.total, found.discount_total, found.tax_total, found.discount_codes) == (
        Decimal("50.68"),
        Decimal("5.00"),
        Decimal("8.45"),
        ("moins5",),
    )
    assert (found.checkout_phone.e164 if found.checkout_phone else None) == "+33645678901"
    assert found.source_version == datetime(2026, 11, 21, 21, 2, 19, tzinfo=UTC)
    assert found.recovery_url == "https://localhost:8443/checkout-link/?products=16:2&coupon=moins5"


@recorded(5, 53)
def test_an_order_that_is_gone_is_none() -> None:
    for number in (5, 53):
        assert store(number).reads.record_now(ACCESS, Resource.ORDER, "148") is None
        assert store(number).reads.orders_of(ACCESS, "148", None) == []


@recorded(6)
def test_the_same_number_is_an_order_once_it_is_bought() -> None:
    found = store(6).reads.record_now(ACCESS, Resource.CHECKOUT, "147")
    assert isinstance(found, Order)
    assert (found.platform_id, found.checkout_token, found.payment_state) == ("147", "147", PaymentState.PAID)
    (placed,) = store(6).reads.orders_of(ACCESS, "147", None)
    assert placed == found


@recorded(7)
def test_a_refund_is_never_taken_for_an_order() -> None:
    with pytest.raises(PayloadError) as caught:
        store(7).reads.record_now(ACCESS, Resource.ORDER, "149")
    assert caught.value.reason == "shape"


@recorded(8)
def test_a_pending_order_waits_on_its_pay_page() -> None:
    found = store(8).reads.record_now(ACCESS, Resource.ORDER, "150")
    assert isinstance(found, Checkout)
    assert found.recovery_url is not None
    assert "/order-pay/150/" in found.recovery_url


@recorded(9, 10)
def test_a_deletion_answers_with_the_order_as_it_was() -> None:
    """So only a look afterwards tells that it is gone: the status in the answer does not."""
    for number in (9, 10):
        assert load(number)["request"]["method"] == "DELETE"
        found = store(number).reads.record_now(ACCESS, Resource.ORDER, "153")
        assert isinstance(found, Checkout)
        assert found.closed_at is not None


@recorded(11)
def test_an_order_made_by_rest_was_paid() -> None:
    found = store(11).reads.record_now(ACCESS, Resource.ORDER, "157")
    assert isinstance(found, Order)
    assert (found.customer_id, found.payment_state, found.discount_total) == ("2", PaymentState.PAID, Decimal("12.00"))
    assert [(line.quantity, line.product_id is not None) for line in found.lines] != []


@recorded(26)
def test_a_page_of_orders_is_read_whole() -> None:
    one = store(26)
    page = one.reads.changes(ACCESS, Resource.ORDER, None)
    bought = [
        found["status"] not in ("pending", "failed", "cancelled", "checkout-draft")
        or (found["status"] == "cancelled" and found["payment_method"] in ("bacs", "cheque", "cod"))
        for found in body_of(26)
    ]
    placed = [found for found in page.records if isinstance(found, Order)]
    assert (len(placed), sum(bought)) == (8, 8)
    assert (page.unreadable, page.cursor is not None) == ((), True)


@recorded(27, 28, 29)
def test_the_headers_tell_where_a_list_ends() -> None:
    kinds = [client.list_records(store(number).call, "orders", "wc/v3/orders", {}) for number in (27, 28, 29)]
    assert [(len(one.ids), one.total, one.pages) for one in kinds] == [(10, 77, 8), (7, 77, 8), (0, 0, 0)]
    # Behind the end the current order storage says 0 of both: that is an end too.
    step = walks.by_change(store(29).call, ORDERS, None, None, walks.Place())
    assert (step.records, step.place) == ([], None)


@recorded(37, 38)
def test_the_filter_is_strict_so_a_second_earlier_is_asked_for() -> None:
    (changed,) = body_of(37)
    at = datetime.fromisoformat(changed["date_modified_gmt"]).replace(tzinfo=UTC)
    recorded_query = asked_for(37)
    recorded_query.pop("_fields")
    assert walks.span(ORDERS, at - timedelta(seconds=1), None) == recorded_query
    # Asked for the very second, the store gives nothing.
    assert (asked_for(38)["modified_after"], body_of(38)) == (f"{at:%Y-%m-%dT%H:%M:%S}", [])
    first = walks.first_instant(ORDERS, at)
    assert first is not None
    assert first < at - timedelta(seconds=1)


@recorded(39, 40)
def test_a_z_beside_the_flag_misses_orders_and_is_never_sent() -> None:
    assert ([one["id"] for one in body_of(39)], body_of(40)) == ([161], [])
    assert asked_for(40)["modified_after"].endswith("Z")
    assert asked_for(40)["dates_are_gmt"] == "true"
    one = store(39)
    one.reads.changes(ACCESS, Resource.ORDER, datetime(2026, 11, 21, 21, 3, 20, tzinfo=UTC))
    ours = one.asked[0][1]
    assert (ours["dates_are_gmt"], "Z" in ours["modified_after"], "+" in ours["modified_after"]) == ("true", False, False)


@recorded(41)
def test_orders_that_carry_no_cart_are_passed() -> None:
    one = store(52, 41)
    assert one.reads.orders_of(ACCESS, None, "0a" * 16) == []
    assert len(one.asked) == 2


@recorded(45)
def test_placed_orders_are_counted_by_status() -> None:
    totals = {one["slug"]: one["total"] for one in body_of(45)}

    def counted(path: str, params: dict[str, str]) -> httpx2.Response:
        wanted = params.get("status", ",".join(totals)).split(",")
        return httpx2.Response(200, json=[], headers={"x-wp-total": str(sum(totals[status] for status in wanted))})

    one = store()
    one._answer = counted  # type: ignore[method-assign]
    assert one.reads.count(ACCESS, Resource.ORDER) == Count(47, is_exact=False)
    assert totals["processing"] + totals["on-hold"] + totals["completed"] + totals["refunded"] == 47


# ---------------------------------------------------------------- customers


@recorded(12, 13, 14)
def test_an_account_through_its_life() -> None:
    phones = []
    for number in (12, 13, 14):
        found = store(number).reads.record_now(ACCESS, Resource.CUSTOMER, "40")
        assert isinstance(found, Customer)
        assert (found.email, found.last_name) == ("nadia.shipping@example.com", "El Idrissi")
        phones.append(found.phone.raw if found.phone else None)
    assert phones == ["+212 6 12 34 56 78", "0612345678", "0612345678"]


@recorded(30, 31)
def test_customers_by_number_over_two_pages() -> None:
    one = store(30)
    page = one.reads.changes(ACCESS, Resource.CUSTOMER, None)
    place = walks.place_of(page.cursor)
    assert (len(page.records), place.last, page.unreadable) == (20, page.records[-1].platform_id, ())
    following = [str(found["id"]) for found in body_of(31)]
    assert int(following[0]) > int(place.last)
    assert client.list_records(store(31).call, "customers", "wc/v3/customers", {}).pages == 2


@recorded(32)
def test_subscribers_are_listed_with_their_role_only() -> None:
    page = store(32).reads.changes(ACCESS, Resource.CUSTOMER, datetime(2026, 11, 21, 20, tzinfo=UTC))
    assert [(found.platform_id, found.source_version.isoformat()) for found in page.records] == [
        ("41", "2026-11-21T21:03:03+00:00"),
        ("39", "2026-11-21T21:02:44+00:00"),
        ("38", "2026-11-21T20:52:02+00:00"),
    ]
    assert CUSTOMERS.params["role"] == asked_for(32)["role"] == "all"


@recorded(50, 51)
def test_customers_are_asked_for_only_by_what_the_store_knows() -> None:
    with pytest.raises(Rejected):
        store(50).reads.changes(ACCESS, Resource.CUSTOMER, None)
    known = set(re.findall(r"[a-z_]+", body_of(50)["data"]["params"]["orderby"].partition("one of")[2]))
    # A time of change is passed over without a word, and everybody comes.
    assert (asked_for(51)["modified_after"], len(body_of(51))) == ("2030-01-01T00:00:00", 2)
    one = WooStore().put("customers", [])
    one.reads.changes(ACCESS, Resource.CUSTOMER, None)
    one.reads.changes(ACCESS, Resource.CUSTOMER, datetime(2026, 11, 21, tzinfo=UTC))
    assert {params["orderby"] for _, params in one.asked} <= known
    assert not any("modified_after" in params for _, params in one.asked)


@recorded(54)
def test_a_customer_who_is_gone_is_none() -> None:
    assert store(54).reads.record_now(ACCESS, Resource.CUSTOMER, "999999") is None


# ---------------------------------------------------------------- products, the site


@recorded(25)
def test_a_product_just_made() -> None:
    one = store()
    one.answers = [httpx2.Response(200, json=[body_of(25)])]
    found = one.reads.record_now(ACCESS, Resource.PRODUCT, str(body_of(25)["id"]))
    assert isinstance(found, Product)
    assert (found.title, found.variants) == (body_of(25)["name"], ())


@recorded(35, 36)
def test_products_with_their_variations() -> None:
    shirt = [body for body in body_of(35) if body["id"] == 29]
    one = store()
    one.answers = [httpx2.Response(200, json=shirt), answer(36), answer(36)]
    (found,) = reading.products(one.call, ["29"])
    last = found.variants[0]
    assert (last.platform_id, last.title, last.sku) == ("35", "L, Blanc cassé", "TSHIRT-L-BC")
    assert (last.price, last.is_available) == (Decimal(31), True)
    draft = next(body for body in body_of(35) if body["id"] == 27)
    one.answers = [answer(35), answer(36), answer(36)]
    assert one.reads.lines_now(ACCESS, [("29", "35"), ("29", "30"), ("27", None)]) == [
        LineNow("29", "35", is_available=True, price=Decimal(31), title="T-shirt Provence"),
        LineNow("29", "30", is_available=False, title="T-shirt Provence"),
        LineNow("27", None, is_available=False, price=Decimal(draft["price"]), title=draft["name"]),
    ]
    assert [form.id for form in read_variations(store(36, 36).call, "29")] == [35, 34, 33]


@recorded(43)
def test_the_index_names_address_and_zone() -> None:
    index = client.read_index(store(43).call)
    assert (index.home, index.timezone_string) == ("https://localhost:8443", "Europe/Paris")


@recorded(44)
def test_one_setting_is_not_taken_for_a_group() -> None:
    with pytest.raises(TransientError):
        client.read_settings(store(44).call, "general")


# ---------------------------------------------------------------- errors


@recorded(46, 47)
def test_a_store_without_drafts_is_asked_without_them() -> None:
    assert load(46)["response"]["status"] == 400
    one = store(52, 46, 29)
    assert one.reads.changes(ACCESS, Resource.CHECKOUT, None).records == ()
    assert [params.get("status") for _, params in one.asked[1:]] == ["checkout-draft,pending,failed,cancelled", "pending,failed,cancelled"]
    # The store refuses its own prefix, which we never send.
    assert (asked_for(47)["status"], load(47)["response"]["status"]) == ("wc-pending", 400)
    named = body_of(47)["data"]["params"]["status"]
    assert all(status in named for status in one.asked[1][1]["status"].split(","))


@recorded(48, 49)
def test_what_the_store_refuses_in_a_question_we_never_ask() -> None:
    for number in (48, 49):
        with pytest.raises(Rejected) as caught:
            store(number).reads.changes(ACCESS, Resource.ORDER, None)
        assert caught.value.status == 400
    assert int(asked_for(48)["per_page"]) > max(walks.window(seen, 100)[0] for seen in range(500))
    # A day alone is no time.
    assert len(asked_for(49)["modified_after"]) == 10
    assert "T" in walks.span(ORDERS, datetime(2026, 11, 20, tzinfo=UTC), None)["modified_after"]


@recorded(52)
def test_a_store_without_the_plugin_has_no_such_route() -> None:
    one = store(52)
    assert one.reads._routes.changed(one.call, None, None, walks.Place()) is None
    # Of WooCommerce's own routes the same words mean that it is off for the moment.
    with pytest.raises(TransientError):
        store(52).reads.changes(ACCESS, Resource.ORDER, None)


ERRORS: dict[int, type[PlatformError]] = {
    60: Rejected,
    61: Rejected,
    65: NotPermitted,
    66: NotPermitted,
    67: Rejected,
    68: AccessLost,
    69: AccessLost,
    70: AccessLost,
    71: AccessLost,
    72: AccessLost,
}


@recorded(*ERRORS)
@pytest.mark.parametrize("number", ERRORS)
def test_each_refusal_asks_the_right_thing_of_the_caller(number: int) -> None:
    one = store(number)
    with pytest.raises(PlatformError) as caught:
        one.reads.changes(ACCESS, Resource.ORDER, None)
    assert (type(caught.value), caught.value.status) == (ERRORS[number], load(number)["response"]["status"])
    assert "@" not in str(caught.value)
    assert len(one.asked) == 1


@recorded()
def test_every_recorded_exchange_that_is_not_used_elsewhere_is_used_here() -> None:
    assert RECORDED is not None
    there = {int(path.name[:3]) for path in RECORDED.glob("*.json")}
    assert there - NOT_MINE == used
