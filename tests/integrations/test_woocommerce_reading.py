"""Reads of several calls: products with their variations and the missing ones, all placed orders since an instant."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from connector.config import Settings
from connector.platforms import TransientError
from integrations.woocommerce.adapter import WooCommercePlatform
from tests.integrations.woo_kit import ACCESS, BASE, WooStore, order, orders, product, rest_error, variation


def platform(store: WooStore) -> WooCommercePlatform:
    return WooCommercePlatform(store.transport, Settings(_env_file=None))


# ---------------------------------------------------------------- products


def test_products_come_back_with_the_missing_ones_as_deleted() -> None:
    store = WooStore().put("products", [product(210), product(220), product(230, status="trash")])
    found = platform(store).read_products(ACCESS, ["210", "220", "999", "999", "abc"])
    assert [(one.platform_id, one.is_deleted) for one in found] == [("210", False), ("220", False), ("999", True), ("abc", True)]
    assert found[2].source_version == datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    assert store.asked[0] == ("wc/v3/products", {"include": "210,220,999", "per_page": "100", "status": "any"})


def test_an_absence_counts_from_1970_if_the_store_tells_no_time() -> None:
    store = WooStore().put("products", [])
    store.answers = [httpx2.Response(200, json=[], headers={"date": "nonsense"})]
    (gone,) = platform(store).read_products(ACCESS, ["5"])
    assert (gone.is_deleted, gone.source_version) == (True, datetime(1970, 1, 1, tzinfo=UTC))


def test_a_time_without_a_zone_is_utc() -> None:
    store = WooStore().put("products", [])
    store.answers = [httpx2.Response(200, json=[], headers={"date": "Sat, 21 Nov 2026 09:00:00 -0000"})]
    (gone,) = platform(store).read_products(ACCESS, ["5"])
    assert gone.source_version == datetime(2026, 11, 21, 9, tzinfo=UTC)


def test_a_product_that_only_a_list_leaves_out_is_not_called_deleted_while_the_store_is_in_trouble() -> None:
    store = WooStore()
    store.answers = [httpx2.Response(200, json=[]), httpx2.Response(503)]
    with pytest.raises(TransientError):
        platform(store).read_products(ACCESS, ["5"])


def test_no_ids_ask_nothing() -> None:
    store = WooStore()
    assert platform(store).read_products(ACCESS, []) == []
    assert [one.is_deleted for one in platform(store).read_products(ACCESS, ["x", "٣"])] == [True, True]
    assert store.asked == []


def test_an_unreadable_product_is_left_out_and_not_called_deleted() -> None:
    store = WooStore().put("products", [product(5) | {"name": {"no": "text"}}, product(6)])
    found = platform(store).read_products(ACCESS, ["5", "6"])
    assert [(one.platform_id, one.is_deleted) for one in found] == [("6", False)]


def test_variations_tell_price_and_stock_of_each_form() -> None:
    forms = [
        variation(30, 29, price="31.50"),
        variation(31, 29, price="29", stock_status="outofstock", image={"src": "https://galets.example/l.png"}),
        variation(32, 29, price="", stock_status="onbackorder"),
        variation(33, 29, status="private"),
    ]
    store = WooStore().put("products", [product(29, type="variable", variations=[30, 31, 32, 33])]).put("products/29/variations", forms)
    (found,) = platform(store).read_products(ACCESS, ["29"])
    assert [(one.platform_id, str(one.price), one.is_available) for one in found.variants] == [
        ("30", "31.50", True),
        ("31", "29", False),
        ("32", "None", True),
        ("33", "12.50", False),
    ]
    assert [(one.title, one.sku, one.image_url) for one in found.variants][1] == ("L, Bleu", "S-31", "https://galets.example/l.png")


def test_no_form_of_a_product_that_is_not_published_can_be_bought() -> None:
    parent = product(29, type="variable", variations=[30], status="draft")
    store = WooStore().put("products", [parent]).put("products/29/variations", [variation(30, 29)])
    (found,) = platform(store).read_products(ACCESS, ["29"])
    assert [one.is_available for one in found.variants] == [False]


def test_hundreds_of_variations_are_all_read() -> None:
    forms = [variation(number, 29) for number in range(100, 330)]
    store = WooStore().put("products", [product(29, type="variable", variations=[100])]).put("products/29/variations", forms)
    (found,) = platform(store).read_products(ACCESS, ["29"])
    assert [one.platform_id for one in found.variants] == [str(number) for number in range(100, 330)]


def test_a_store_that_repeats_a_page_of_variations_is_not_asked_for_ever() -> None:
    store = WooStore(says_pages=False).put("products", [product(29, type="variable", variations=[100])])
    frozen = httpx2.Response(200, json=[variation(number, 29) for number in range(100, 200)])
    whole = store._answer
    store._answer = lambda path, params: frozen if path.endswith("variations") else whole(path, params)  # type: ignore[method-assign]
    (found,) = platform(store).read_products(ACCESS, ["29"])
    assert (len(found.variants), len(store.asked)) == (100, 3)


def test_a_products_variations_that_vanished_meanwhile_are_none() -> None:
    store = WooStore().put("products", [product(29, type="variable", variations=[30])])
    (found,) = platform(store).read_products(ACCESS, ["29"])
    assert found.variants == ()


def test_the_number_of_a_variation_leads_to_its_product() -> None:
    """WooCommerce sends product.updated with the number of a variation, which is in no list of products."""
    parent = product(29, type="variable", variations=[30])
    store = WooStore().put("products", [parent]).put("products/29/variations", [variation(30, 29, price="31.50")])
    whole = store._answer

    def by_number(path: str, params: dict[str, str]) -> httpx2.Response:
        return httpx2.Response(200, json=variation(30, 29)) if path == "wc/v3/products/30" else whole(path, params)

    store._answer = by_number  # type: ignore[method-assign]
    found = platform(store).read_products(ACCESS, ["30"])
    assert [(one.platform_id, one.is_deleted) for one in found] == [("29", False), ("30", True)]
    assert [str(one.price) for one in found[0].variants] == ["31.50"]


# ---------------------------------------------------------------- orders


def test_orders_changed_in_the_very_second_are_included() -> None:
    store = WooStore().put("orders", orders(3, timedelta(seconds=10)))
    found = platform(store).read_orders_since(ACCESS, BASE + timedelta(seconds=10, microseconds=900))
    assert [one.platform_id for one in found] == ["1001", "1002"]


def test_all_pages_are_read_and_each_order_comes_once() -> None:
    store = WooStore().put("orders", orders(250, timedelta(seconds=1)))
    assert [one.platform_id for one in platform(store).read_orders_since(ACCESS, BASE)] == [str(1000 + n) for n in range(250)]


def test_an_order_that_changes_while_pages_are_read_comes_in_its_newest_version() -> None:
    store = WooStore().put("orders", orders(150, timedelta(seconds=1)))

    def touch_the_first() -> None:
        store.lists["wc/v3/orders"][0] = order(1000, BASE + timedelta(hours=1))
        store.between = lambda: None

    store.between = touch_the_first
    found = platform(store).read_orders_since(ACCESS, BASE)
    assert {one.platform_id for one in found} == {str(1000 + n) for n in range(150)}
    assert (found[-1].platform_id, found[-1].source_version) == ("1000", BASE + timedelta(hours=1))


def test_an_order_that_loses_its_place_while_pages_are_read_is_not_told() -> None:
    store = WooStore().put("orders", orders(101, timedelta(seconds=1)))

    def cancel_the_first() -> None:
        store.lists["wc/v3/orders"][0] = order(1000, BASE + timedelta(hours=1), "cancelled", date_paid_gmt=None, payment_method="stripe")
        store.between = lambda: None

    store.between = cancel_the_first
    assert "1000" not in {one.platform_id for one in platform(store).read_orders_since(ACCESS, BASE)}


@pytest.mark.parametrize("status", ["checkout-draft", "pending", "failed", "trash"])
def test_drafts_pending_and_failed_orders_are_no_orders(status: str) -> None:
    store = WooStore().put("orders", [order(1000 + n, BASE + timedelta(seconds=n), status, date_paid_gmt=None) for n in range(3)])
    assert platform(store).read_orders_since(ACCESS, BASE) == []


def test_orders_that_make_no_sense_stop_nothing() -> None:
    store = WooStore().put("orders", orders(102, timedelta(seconds=1)))
    for broken in store.lists["wc/v3/orders"][:100]:
        broken["currency"] = "?"
    assert [one.platform_id for one in platform(store).read_orders_since(ACCESS, BASE)] == ["1100", "1101"]


def test_a_refusal_in_the_middle_is_told() -> None:
    store = WooStore().put("orders", orders(150, timedelta(seconds=1)))
    store.between = lambda: store.answers.append(rest_error("internal_server_error", 500)) if len(store.asked) == 1 else None
    with pytest.raises(TransientError):
        platform(store).read_orders_since(ACCESS, BASE)
