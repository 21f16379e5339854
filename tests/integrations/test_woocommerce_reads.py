"""What a store can be asked at any time: kinds of records by pages, counts, topics, the pages of its admin."""

from datetime import timedelta

import httpx2
import pytest

from connector.canonical import Channel, Checkout, ConsentState, Customer, Order, Product, Removed, Resource
from connector.codes import CodeState
from connector.platforms import NotPermitted, Rejected, TransientError
from connector.reading import Count, Page
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.carts import TOPIC
from tests.integrations.woo_kit import ACCESS, BASE, WooStore, cart, customer, order, orders, product, rest_error, variation

TOKEN, OTHER = "0a" * 16, "1b" * 16
SECOND = timedelta(seconds=1)
COUPON = {
    "id": 43,
    "code": "moins5",
    "amount": "5.00",
    "status": "publish",
    "discount_type": "fixed_cart",
    "date_created_gmt": "2026-11-20T08:00:00",
    "date_modified_gmt": "2026-11-20T08:00:00",
    "usage_count": 0,
}


def everything(store: WooStore, what: Resource, **span: object) -> list[Page]:
    """All pages of a kind since BASE."""
    found, cursor = [], None
    for _ in range(60):
        page = store.reads.changes(ACCESS, what, BASE, None, cursor)
        found.append(page)
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the walk does not end")


def ids(found: list[Page]) -> list[str]:
    return [one.platform_id for page in found for one in page.records]


# ---------------------------------------------------------------- orders and checkouts


def test_orders_are_those_that_were_placed() -> None:
    kinds = ["processing", "on-hold", "checkout-draft", "pending", "failed", "completed", "parcel-sent"]
    store = WooStore().put("orders", [order(n, BASE + n * SECOND, status, date_paid_gmt=None) for n, status in enumerate(kinds, 1)])
    (page,) = everything(store, Resource.ORDER)
    assert [one.platform_id for one in page.records] == ["1", "2", "6", "7"]
    assert all(isinstance(one, Order) for one in page.records)


def test_checkouts_are_the_orders_that_wait_for_payment() -> None:
    kinds = ["processing", "checkout-draft", "pending", "failed", "cancelled"]
    store = WooStore().put("orders", [order(n, BASE + n * SECOND, status, date_paid_gmt=None) for n, status in enumerate(kinds, 1)])
    found = everything(store, Resource.CHECKOUT)
    assert ids(found) == ["2", "3", "4", "5"]
    assert [isinstance(one, Checkout) and one.closed_at is not None for page in found for one in page.records] == [False] * 3 + [True]
    assert store.asked[-1][1]["status"] == "checkout-draft,pending,failed,cancelled"


def test_a_store_that_knows_no_drafts_is_asked_without_them() -> None:
    store = WooStore().put("orders", [order(3, BASE, "pending", date_paid_gmt=None)])
    unknown = rest_error("rest_invalid_param", 400, "Invalid parameter(s): status")
    store.answers = [rest_error("rest_no_route", 404), unknown]
    assert ids(everything(store, Resource.CHECKOUT)) == ["3"]
    assert store.asked[-1][1]["status"] == "pending,failed,cancelled"


def test_carts_of_the_plugin_come_first_and_only_once() -> None:
    store = WooStore(has_plugin=True).put("orders", [order(3, BASE, "pending", date_paid_gmt=None)])
    store.lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE), cart(OTHER, BASE + SECOND, status="emptied")]
    found = everything(store, Resource.CHECKOUT)
    assert ids(found) == [TOKEN, OTHER, "3"]
    assert store.asked[0] == ("wc-connector/v1/carts", {"modified_after": "2026-11-20T07:59:00Z", "per_page": "100", "page": "1"})
    assert store.paths() == ["wc-connector/v1/carts", "wc/v3/orders"]


def test_carts_of_one_second_and_of_many_are_all_read() -> None:
    store = WooStore(has_plugin=True).put("orders", [])
    names = [f"{number:032x}" for number in range(300)]
    store.lists["wc-connector/v1/carts"] = [cart(name, BASE + (number // 150) * SECOND) for number, name in enumerate(names)]
    assert set(ids(everything(store, Resource.CHECKOUT))) == set(names)


def test_what_a_cart_says_of_consent_and_that_it_was_forgotten_is_not_lost() -> None:
    said = {"channel": "email", "state": "subscribed", "at": "2026-11-20T08:00:00Z", "wording": "News by mail", "source": "block"}
    store = WooStore(has_plugin=True).put("orders", [])
    store.lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE, consents=[said]), cart(OTHER, BASE, status="forgotten", email="")]
    (page, _) = everything(store, Resource.CHECKOUT)
    (record,) = page.records
    assert isinstance(record, Checkout)
    assert (record.platform_id, record.email) == (TOKEN, "lou@courriel.example")
    assert [(one.channel, one.state) for one in record.consents] == [(Channel.EMAIL, ConsentState.SUBSCRIBED)]
    assert [(type(one), one.platform_id) for one in page.gone] == [(Removed, OTHER)]


def test_a_cart_that_makes_no_sense_is_named() -> None:
    store = WooStore(has_plugin=True).put("orders", [])
    store.lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE, connector=9), cart(OTHER, BASE)]
    page = everything(store, Resource.CHECKOUT)[0]
    assert (page.unreadable, [one.platform_id for one in page.records]) == ((f"{TOKEN}: plugin_version",), [OTHER])


def test_a_store_without_the_plugin_is_not_asked_for_carts_again_and_again() -> None:
    store = WooStore().put("orders", [])
    for _ in range(3):
        everything(store, Resource.CHECKOUT)
    assert store.paths().count("wc-connector/v1/carts") == 1


def test_a_store_is_asked_for_carts_again_some_minutes_later() -> None:
    seconds = [0.0]
    store = WooStore().put("orders", [])
    store.reads._routes._now = lambda: seconds[0]
    everything(store, Resource.CHECKOUT)
    seconds[0] = 601.0
    store.has_plugin, store.lists["wc-connector/v1/carts"] = True, [cart(TOKEN, BASE)]
    assert ids(everything(store, Resource.CHECKOUT)) == [TOKEN]


def test_a_plugin_that_is_in_trouble_is_not_taken_for_none() -> None:
    store = WooStore(has_plugin=True).put("orders", [])
    store.answers = [httpx2.Response(503)]
    with pytest.raises(TransientError):
        everything(store, Resource.CHECKOUT)
    store.answers = [httpx2.Response(404, content=b"<html>Not here</html>")]
    with pytest.raises(TransientError):
        everything(store, Resource.CHECKOUT)
    store.lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE)]
    assert ids(everything(store, Resource.CHECKOUT)) == [TOKEN]


# ---------------------------------------------------------------- customers, products, coupons


def test_a_subscriber_without_a_date_of_change_is_a_customer_too() -> None:
    store = WooStore().put("customers", [customer(41, BASE, role="subscriber")])
    (page,) = everything(store, Resource.CUSTOMER)
    (found,) = page.records
    assert isinstance(found, Customer)
    assert (found.platform_id, found.source_version) == ("41", BASE)


def test_products_come_with_price_and_stock_of_their_variations() -> None:
    parent = product(29, type="variable", variations=[30, 31])
    forms = [variation(30, 29, price="31.50"), variation(31, 29, stock_status="outofstock")]
    store = WooStore().put("products", [product(10), parent, product(40)]).put("products/29/variations", forms)
    (page,) = everything(store, Resource.PRODUCT)
    found = {one.platform_id: one for one in page.records if isinstance(one, Product)}
    assert [(one.platform_id, str(one.price), one.is_available) for one in found["29"].variants] == [
        ("30", "31.50", True),
        ("31", "12.50", False),
    ]
    assert found["10"].variants == found["40"].variants == ()


def test_an_unreadable_product_stops_no_other() -> None:
    store = WooStore().put("products", [product(10, date_modified_gmt="2026-11-20T08:00:00", images=[{"src": []}]), product(11)])
    (page,) = everything(store, Resource.PRODUCT)
    assert ([one.platform_id for one in page.records], page.unreadable) == (["11"], ("10: shape",))


def test_coupons_come_as_codes() -> None:
    store = WooStore().put("coupons", [COUPON])
    (page,) = everything(store, Resource.DISCOUNT_CODE)
    (found,) = page.records
    assert isinstance(found, CodeState)
    assert (found.platform_id, found.code) == ("43", "moins5")


def test_a_shop_is_no_list() -> None:
    for ask in (lambda: WooStore().reads.changes(ACCESS, Resource.SHOP, None), lambda: WooStore().reads.count(ACCESS, Resource.SHOP)):
        with pytest.raises(Rejected):
            ask()


def test_what_the_keys_may_not_read_is_told_as_such() -> None:
    store = WooStore()
    store.answers = [rest_error("woocommerce_rest_authentication_error", 401, "The API key provided does not have read permissions.")]
    with pytest.raises(NotPermitted):
        store.reads.changes(ACCESS, Resource.ORDER, BASE)


# ---------------------------------------------------------------- counts


def test_counts_are_those_of_the_store() -> None:
    store = WooStore().put("orders", orders(30, SECOND)).put("products", [product(n) for n in range(1, 15)]).put("coupons", [COUPON])
    store.put("customers", [customer(n, BASE, role="subscriber") for n in range(1, 40)])
    reads = store.reads
    assert reads.count(ACCESS, Resource.ORDER) == Count(30)
    assert reads.count(ACCESS, Resource.ORDER, BASE + 90 * SECOND) == Count(0)
    assert reads.count(ACCESS, Resource.ORDER, BASE + 70 * SECOND, BASE + 75 * SECOND) == Count(20)
    assert reads.count(ACCESS, Resource.CHECKOUT) == Count(0)
    assert reads.count(ACCESS, Resource.PRODUCT) == Count(14)
    assert reads.count(ACCESS, Resource.DISCOUNT_CODE) == Count(1)
    assert reads.count(ACCESS, Resource.CUSTOMER) == Count(39)


def test_unpaid_orders_make_counts_inexact() -> None:
    mixed = [order(n, BASE, "pending" if n % 3 == 0 else "completed") for n in range(1, 31)]
    store = WooStore(has_plugin=True).put("orders", mixed)
    store.lists["wc-connector/v1/carts"] = [cart(f"{number:032x}", BASE) for number in range(7)]
    assert store.reads.count(ACCESS, Resource.ORDER) == Count(20, is_exact=False)
    assert store.reads.count(ACCESS, Resource.CHECKOUT) == Count(17, is_exact=False)
    store.put("orders", [])
    assert store.reads.count(ACCESS, Resource.CHECKOUT, BASE) == Count(7)


def test_registrations_are_counted_one_by_one_and_not_for_ever() -> None:
    store = WooStore().put("customers", [customer(n, BASE + n * SECOND) for n in range(1000)])
    assert store.reads.count(ACCESS, Resource.CUSTOMER, BASE + 900 * SECOND) == Count(160)
    many = store.reads.count(ACCESS, Resource.CUSTOMER, BASE)
    assert (250 < many.number <= 300, many.is_exact) == (True, False)
    assert store.reads.count(ACCESS, Resource.CUSTOMER, None, BASE + 10 * SECOND).is_exact is False


# ---------------------------------------------------------------- topics, exports, the admin


@pytest.mark.parametrize(
    ("status", "topics"),
    [
        ("processing", {"order.created", "order.updated", "order.restored"}),
        ("pending", {"order.created", "order.updated", "order.restored"}),
        ("checkout-draft", set()),
    ],
)
def test_an_order_must_have_been_told_and_a_draft_need_not(status: str, topics: set[str]) -> None:
    what = Resource.ORDER if status == "processing" else Resource.CHECKOUT
    store = WooStore().put("orders", [order(5, BASE, status, date_paid_gmt=None)])
    (change,) = everything(store, what)[0].records
    assert store.reads.told_by(change, BASE) == topics
    assert store.reads.told_by(change, BASE + SECOND) == frozenset()


def test_each_kind_of_change_names_topics_that_are_subscribed() -> None:
    store = WooStore(has_plugin=True).put("products", [product(5)]).put("customers", [customer(5, BASE)]).put("coupons", [COUPON])
    store.put("orders", []).lists["wc-connector/v1/carts"] = [cart(TOKEN, BASE)]
    told = {
        what: store.reads.told_by(everything(store, what)[0].records[0], BASE)
        for what in (Resource.PRODUCT, Resource.CUSTOMER, Resource.DISCOUNT_CODE, Resource.CHECKOUT)
    }
    assert told == {
        Resource.PRODUCT: {"product.created", "product.updated"},
        Resource.CUSTOMER: {"customer.created", "customer.updated"},
        Resource.DISCOUNT_CODE: {"coupon.created", "coupon.updated", "coupon.restored"},
        Resource.CHECKOUT: {TOPIC},
    }
    assert frozenset().union(*told.values()) <= WooCommercePlatform.topics


def test_there_are_no_exports() -> None:
    reads = WooStore().reads
    with pytest.raises(Rejected):
        reads.begin_export(ACCESS, Resource.ORDER)
    with pytest.raises(Rejected):
        reads.look_at_export(ACCESS, "1")
    with pytest.raises(Rejected):
        reads.read_export(ACCESS, None, Resource.ORDER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "number", "page"),
    [
        (Resource.ORDER, "12", "post.php?post=12&action=edit"),
        (Resource.CHECKOUT, "12", "post.php?post=12&action=edit"),
        (Resource.PRODUCT, "12", "post.php?post=12&action=edit"),
        (Resource.DISCOUNT_CODE, "12", "post.php?post=12&action=edit"),
        (Resource.CUSTOMER, "12", "user-edit.php?user_id=12"),
        (Resource.SHOP, "12", ""),
        (Resource.CHECKOUT, TOKEN, ""),
        (Resource.ORDER, '12" onclick="', ""),
    ],
)
def test_the_admin_has_a_page_for_each_record(what: Resource, number: str, page: str) -> None:
    assert WooStore().reads.admin_url("galets.example/shop", what, number) == f"https://galets.example/shop/wp-admin/{page}"
