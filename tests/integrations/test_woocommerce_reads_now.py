"""What a store says at this moment: one record, the orders of a checkout, what can still be bought."""

from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest

from connector.canonical import Checkout, Customer, Order, Product, Resource
from connector.codes import CodeState
from connector.platforms import Gone, PayloadError, Rejected, TransientError
from connector.reading import LineNow
from tests.integrations.test_woocommerce_reads import COUPON
from tests.integrations.woo_kit import ACCESS, BASE, WooStore, cart, customer, order, product, rest_error, variation

TOKEN, OTHER = "0a" * 16, "1b" * 16
MARK = [{"id": 1, "key": "_other", "value": {"deep": []}}, {"id": 2, "key": "_connector_cart", "value": TOKEN}]


# ---------------------------------------------------------------- one record


@pytest.mark.parametrize("asked", [Resource.ORDER, Resource.CHECKOUT])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("processing", Order),
        ("on-hold", Order),
        ("pending", Checkout),
        ("checkout-draft", Checkout),
        ("cancelled", Checkout),
        ("trash", type(None)),
    ],
)
def test_an_orders_number_names_what_it_is_now(asked: Resource, status: str, expected: type) -> None:
    store = WooStore().put("orders", [order(5, BASE, status, date_paid_gmt=None, payment_method="stripe")])
    assert type(store.reads.record_now(ACCESS, asked, "5")) is expected


@pytest.mark.parametrize("change", [{"status": "pending"}, {"status": "cancelled", "date_paid_gmt": None, "payment_method": "cod"}])
def test_what_was_bought_and_waits_again_or_ended_is_told_as_it_was_asked_for(change: dict[str, str | None]) -> None:
    store = WooStore().put("orders", [order(5, BASE, **change)])
    assert type(store.reads.record_now(ACCESS, Resource.ORDER, "5")) is Order
    assert type(store.reads.record_now(ACCESS, Resource.CHECKOUT, "5")) is Checkout


def test_a_record_that_is_not_there_is_none() -> None:
    store = WooStore().put("orders", []).put("customers", []).put("products", []).put("coupons", [])
    for what in (Resource.ORDER, Resource.CHECKOUT, Resource.CUSTOMER, Resource.PRODUCT, Resource.DISCOUNT_CODE):
        assert store.reads.record_now(ACCESS, what, "999") is None
        assert store.reads.record_now(ACCESS, what, "x/../../settings") is None
        assert store.reads.record_now(ACCESS, what, "٣") is None
    assert all(path.endswith(("/999", "/products")) for path in store.paths())


def test_each_kind_can_be_read_by_its_number() -> None:
    parent = product(29, type="variable", variations=[30])
    store = WooStore().put("products", [parent]).put("products/29/variations", [variation(30, 29)])
    store.put("customers", [customer(5, BASE)]).put("coupons", [COUPON])
    shop = store.reads
    found = shop.record_now(ACCESS, Resource.PRODUCT, "29")
    assert isinstance(found, Product)
    assert [one.platform_id for one in found.variants] == ["30"]
    assert isinstance(shop.record_now(ACCESS, Resource.CUSTOMER, "5"), Customer)
    assert isinstance(shop.record_now(ACCESS, Resource.DISCOUNT_CODE, "43"), CodeState)


def test_a_pages_404_is_not_taken_for_a_record_that_is_gone() -> None:
    store = WooStore()
    store.answers = [httpx2.Response(404, content=b"<html>Not found</html>")]
    with pytest.raises(TransientError):
        store.reads.record_now(ACCESS, Resource.ORDER, "5")


def test_a_record_that_makes_no_sense_is_not_gone() -> None:
    store = WooStore().put("orders", [order(5, BASE, total="a lot")])
    with pytest.raises(PayloadError):
        store.reads.record_now(ACCESS, Resource.ORDER, "5")


def test_a_draft_whose_cart_the_plugin_tells_is_nothing() -> None:
    store = WooStore().put("orders", [order(5, BASE, "checkout-draft", meta_data=MARK)])
    assert store.reads.record_now(ACCESS, Resource.CHECKOUT, "5") is None


def test_a_cart_is_asked_of_the_plugin() -> None:
    store = WooStore(has_plugin=True)
    store.lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE, 3), cart(OTHER, BASE, status="forgotten", email="")]
    found = store.reads.record_now(ACCESS, Resource.CHECKOUT, TOKEN)
    assert isinstance(found, Checkout)
    assert (found.platform_id, found.source_version) == (TOKEN, BASE + timedelta(microseconds=3))
    assert store.reads.record_now(ACCESS, Resource.CHECKOUT, OTHER) is None
    store.answers = [rest_error("connector_no_such_cart", 404)]
    assert store.reads.record_now(ACCESS, Resource.CHECKOUT, "2c" * 16) is None


def test_a_cart_is_not_gone_because_the_plugin_is_off() -> None:
    store = WooStore()
    for _ in range(2):
        with pytest.raises(TransientError):
            store.reads.record_now(ACCESS, Resource.CHECKOUT, TOKEN)
    assert store.paths() == [f"wc-connector/v1/carts/{TOKEN}"]


def test_a_shop_is_read_by_its_own_call() -> None:
    with pytest.raises(Rejected):
        WooStore().reads.record_now(ACCESS, Resource.SHOP, "1")


# ---------------------------------------------------------------- the orders of a checkout


def test_an_unpaid_order_that_was_paid_is_found_by_its_number() -> None:
    store = WooStore().put("orders", [order(5, BASE), order(6, BASE, "pending", date_paid_gmt=None)])
    (found,) = store.reads.orders_of(ACCESS, "5", None)
    assert (found.platform_id, found.checkout_token) == ("5", "5")
    assert store.reads.orders_of(ACCESS, "6", None) == []
    assert store.reads.orders_of(ACCESS, "7", None) == []
    assert store.reads.orders_of(ACCESS, None, None) == []


def test_the_order_of_a_cart_is_told_by_the_plugin() -> None:
    store = WooStore(has_plugin=True).put("orders", [order(5, BASE, meta_data=MARK)])
    store.lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE, status="ordered", order_id=5), cart(OTHER, BASE)]
    (found,) = store.reads.orders_of(ACCESS, TOKEN, TOKEN)
    assert (found.platform_id, found.checkout_token, found.cart_token) == ("5", TOKEN, TOKEN)
    assert store.reads.orders_of(ACCESS, OTHER, OTHER) == []
    assert store.paths() == [f"wc-connector/v1/carts/{TOKEN}", "wc/v3/orders/5", f"wc-connector/v1/carts/{OTHER}"]


def test_an_order_that_waits_for_payment_is_no_order_of_its_cart_yet() -> None:
    store = WooStore(has_plugin=True).put("orders", [order(5, BASE, "pending", date_paid_gmt=None, meta_data=MARK)])
    store.lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE, status="placed", order_id=5)]
    assert store.reads.orders_of(ACCESS, TOKEN, TOKEN) == []


def test_an_order_that_carries_another_cart_did_not_come_of_this_one() -> None:
    store = WooStore(has_plugin=True).put("orders", [order(5, BASE, meta_data=MARK)])
    store.lists["wc-connector/v1/carts"] = [cart(OTHER, BASE, status="ordered", order_id=5)]
    assert store.reads.orders_of(ACCESS, OTHER, OTHER) == []


@pytest.mark.parametrize("has_plugin", [True, False])
def test_without_an_answer_of_the_plugin_the_newest_orders_are_looked_through(has_plugin: bool) -> None:
    recent = [order(number, BASE, meta_data=MARK if number == 7 else []) for number in range(1, 30)]
    recent[3]["meta_data"] = "nonsense"
    # The same visitor went on afterwards: a newer draft carries the cart that was bought.
    recent += [order(30, BASE, "checkout-draft", meta_data=MARK), order(31, BASE, "failed", meta_data=MARK)]
    store = WooStore(has_plugin=has_plugin).put("orders", recent)
    if has_plugin:
        store.lists["wc-connector/v1/carts"] = []
    (found,) = store.reads.orders_of(ACCESS, None, TOKEN)
    assert found.platform_id == "7"
    looked = next(params for path, params in store.asked if path == "wc/v3/orders")
    assert (looked["per_page"], looked["orderby"], looked["order"]) == ("100", "date", "desc")
    assert "billing" not in looked["_fields"]
    assert store.reads.orders_of(ACCESS, None, OTHER) == []


# ---------------------------------------------------------------- what can still be bought


def shelf() -> WooStore:
    """Simple products and one with variations, some of which cannot be bought."""
    things = [
        product(10, price="9.50"),
        product(11, stock_status="outofstock"),
        product(12, status="draft"),
        product(13, purchasable=False),
        product(14, stock_status="onbackorder", price=""),
        product(15, status="trash"),
        product(29, type="variable", variations=[30, 31], price="29", name="T-shirt &amp; more"),
    ]
    forms = [variation(30, 29, price="31.50"), variation(31, 29, stock_status="outofstock"), variation(32, 29, status="private")]
    return WooStore().put("products", things).put("products/29/variations", forms)


def test_each_line_is_told_in_the_order_asked() -> None:
    store = shelf()
    wanted: list[tuple[str, str | None]] = [("29", "30"), ("10", None), ("11", None), ("29", "31"), ("29", "32"), ("10", None)]
    assert store.reads.lines_now(ACCESS, wanted) == [
        LineNow("29", "30", is_available=True, price=Decimal("31.50"), title="T-shirt & more"),
        LineNow("10", None, is_available=True, price=Decimal("9.50"), title="Bol 10"),
        LineNow("11", None, is_available=False, price=Decimal("12.50"), title="Bol 11"),
        LineNow("29", "31", is_available=False, price=Decimal("12.50"), title="T-shirt & more"),
        LineNow("29", "32", is_available=False, price=Decimal("12.50"), title="T-shirt & more"),
        LineNow("10", None, is_available=True, price=Decimal("9.50"), title="Bol 10"),
    ]
    assert store.paths() == ["wc/v3/products", "wc/v3/products/29/variations"]
    assert store.asked[0][1]["include"] == "29,10,11"
    assert store.asked[1][1]["include"] == "30,31,32"


@pytest.mark.parametrize(
    ("line", "is_available", "price"),
    [
        (("12", None), False, "12.50"),
        (("13", None), False, "12.50"),
        (("14", None), True, None),
        (("15", None), False, None),
        (("99", None), False, None),
        (("29", "99"), False, None),
        (("99", "30"), False, None),
        (("29", None), True, None),
        (("x", None), False, None),
        (("29", "x"), False, None),
    ],
)
def test_what_cannot_be_bought_and_what_has_no_one_price(line: tuple[str, str | None], is_available: bool, price: str | None) -> None:
    (found,) = shelf().reads.lines_now(ACCESS, [line])
    assert (found.is_available, found.price) == (is_available, Decimal(price) if price else None)


def test_a_form_of_a_product_that_was_taken_back_cannot_be_bought() -> None:
    store = shelf()
    store.lists["wc/v3/products"][-1]["status"] = "draft"
    (found,) = store.reads.lines_now(ACCESS, [("29", "30")])
    assert not found.is_available


def test_a_product_that_a_plugin_made_unreadable_is_not_called_gone() -> None:
    store = shelf()
    store.lists["wc/v3/products"][0]["name"] = {"no": "text"}
    assert store.reads.lines_now(ACCESS, [("10", None)]) == [LineNow("10", None, is_available=True)]


def test_a_price_that_is_no_number_is_not_known() -> None:
    store = shelf()
    store.lists["wc/v3/products"][0]["price"] = "ask us"
    assert store.reads.lines_now(ACCESS, [("10", None)]) == [LineNow("10", None, is_available=True, title="Bol 10")]


def test_lines_that_no_store_can_have_ask_nothing() -> None:
    store = shelf()
    assert [line.is_available for line in store.reads.lines_now(ACCESS, [("x", None), ("", "3")])] == [False, False]
    assert store.reads.lines_now(ACCESS, []) == []
    assert store.asked == []


def test_fifty_lines_at_once_and_no_more() -> None:
    things = [product(number, type="variable", variations=[number + 1000]) for number in range(1, 51)]
    store = WooStore().put("products", things)
    for thing in things:
        store.put(f"products/{thing['id']}/variations", [variation(thing["id"] + 1000, thing["id"])])
    wanted = [(str(number), str(number + 1000)) for number in range(1, 51)]
    found = store.reads.lines_now(ACCESS, wanted)
    assert [(line.product_id, line.variant_id) for line in found] == wanted
    assert all(line.is_available for line in found)
    assert len(store.asked) == 51
    with pytest.raises(Rejected):
        store.reads.lines_now(ACCESS, [*wanted, ("51", None)])


def test_a_store_that_answers_a_line_with_a_page_says_nothing_of_it() -> None:
    store = shelf()
    store.answers = [httpx2.Response(200, content=b"<html>Soon</html>")]
    with pytest.raises(TransientError):
        store.reads.lines_now(ACCESS, [("10", None)])
    store.between = lambda: store.answers.append(httpx2.Response(403, content=b"<html>Blocked</html>"))
    with pytest.raises(TransientError):
        store.reads.lines_now(ACCESS, [("29", "30")])


def test_a_token_that_the_plugin_does_not_know_is_gone_there() -> None:
    store = WooStore(has_plugin=True)
    store.lists["wc-connector/v1/carts"] = []
    with pytest.raises(Gone):
        store.reads._routes.one(store.call, TOKEN)
