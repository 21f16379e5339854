"""What a real WooCommerce store does that nobody would expect: one test for each, on the pretend store."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connector.errors import Refused
from integrations.sandbox.woocommerce_store import Contact
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from tests.integrations.sandbox_app import Clock, PlayedApp, played, reset_woocommerce, sent, subscribe

LEA = Contact("lea@example.com", "Léa", "Fournier")
EVERYTHING = (
    "order.restored",
    "product.updated",
    "product.deleted",
    "coupon.deleted",
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "action.woocommerce_delete_order",
    "action.woocommerce_delete_product",
)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("quirks"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    """Our role, subscribed to everything."""
    reset_woocommerce(running, clock)
    for topic in EVERYTHING:
        subscribe(running, topic)
    running.heard.clear()
    yield running
    running.world.settle()


@pytest.fixture
def shop(app: PlayedApp) -> WooCommerceTwin:
    return app.world.woocommerce


def topics(app: PlayedApp) -> list[str]:
    """What arrived since the last look, in order."""
    assert app.world.settle()
    found = [one.headers["x-wc-webhook-topic"] for one in app.heard if "x-wc-webhook-topic" in one.headers]
    app.heard.clear()
    return found


def ordered(shop: WooCommerceTwin, method: str = "card") -> int:
    """Somebody orders."""
    order_id = shop.open_checkout([("BOUG-LAV", 1)])
    shop.type_contact(order_id, "lea@example.com")
    shop.place_order(order_id, method)
    return order_id


# Orders and lists.


@pytest.mark.parametrize(("version", "drafts"), [("9.9.5", 1), ("10.7.2", 1), ("10.8.0", 0), ("11.0.0", 0)])
def test_opening_the_block_checkout_makes_a_draft_before_10_8_only(shop: WooCommerceTwin, version: str, drafts: int) -> None:
    shop.store.version = version
    shop.open_page(shop.start_cart([("BOUG-LAV", 1)]))
    assert [order.status for order in shop.store.orders.values()] == ["checkout-draft"] * drafts
    if not drafts:
        with pytest.raises(Refused):
            shop.open_checkout([("BOUG-LAV", 1)])


def test_the_classic_checkout_makes_no_order_before_it_is_placed(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.store.checkout = "classic"
    key = shop.start_cart([("BOUG-LAV", 1)])
    assert shop.open_page(key) is None
    shop.type_into(key, "lea@example.com")
    assert topics(app) == []
    order = shop.buy(key)
    body = app.rest("GET", f"/wc/v3/orders/{order.id}")[1]
    assert (body["created_via"], body["status"], body["date_created_gmt"]) == ("checkout", "processing", "2026-11-21T10:15:30")
    assert topics(app) == ["order.updated", "order.created"]


@pytest.mark.parametrize(("hpos", "moved"), [(True, True), (False, False)])
def test_with_the_old_storage_a_drafts_date_stays_while_it_changes(
    app: PlayedApp, shop: WooCommerceTwin, clock: Clock, hpos: bool, moved: bool
) -> None:
    shop.store.hpos = hpos
    order_id = shop.open_checkout([("BOUG-LAV", 1)])
    clock.advance(minutes=1)
    shop.type_contact(order_id, "lea@example.com")
    found = app.rest("GET", "/wc/v3/orders", modified_after="2026-11-21T10:16:00", dates_are_gmt="true")[1]
    assert bool(found) == moved
    shop.place_order(order_id)
    assert len(app.rest("GET", "/wc/v3/orders", modified_after="2026-11-21T10:16:00", dates_are_gmt="true")[1]) == 1


@pytest.mark.parametrize(("hpos", "told"), [(True, ["order.deleted"]), (False, ["order.deleted", "product.deleted", "coupon.deleted"])])
def test_with_the_old_storage_a_trashed_order_fires_three_deletions(
    app: PlayedApp, shop: WooCommerceTwin, hpos: bool, told: list[str]
) -> None:
    shop.store.hpos = hpos
    order_id = ordered(shop)
    topics(app)
    assert app.rest("DELETE", f"/wc/v3/orders/{order_id}")[1]["status"] == "processing"
    assert topics(app) == told
    assert app.rest("GET", f"/wc/v3/orders/{order_id}")[1]["status"] == "trash"


def test_an_order_deleted_by_force_sends_no_deletion_but_an_action(app: PlayedApp, shop: WooCommerceTwin) -> None:
    order_id = ordered(shop)
    topics(app)
    assert app.rest("DELETE", f"/wc/v3/orders/{order_id}", force="true")[0] == 200
    assert topics(app) == ["action.woocommerce_delete_order"]
    assert app.rest("GET", f"/wc/v3/orders/{order_id}")[0] == 404


def test_an_order_restored_by_rest_sends_nothing_and_in_wp_admin_order_restored(app: PlayedApp, shop: WooCommerceTwin) -> None:
    order_id = ordered(shop)
    shop.trash_order(order_id)
    topics(app)
    assert app.rest("PUT", f"/wc/v3/orders/{order_id}", {"status": "processing"})[1]["status"] == "processing"
    assert topics(app) == []
    shop.trash_order(order_id)
    topics(app)
    shop.restore_order(order_id)
    assert sent(app, "order.restored")[0].json["status"] == "processing"


def test_the_daily_clean_up_of_drafts_is_seen_by_the_action_only(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    order_id = shop.open_checkout([("BOUG-LAV", 1)])
    topics(app)
    clock.advance(hours=24)
    assert shop.clean_drafts() == 1
    (one,) = sent(app, "action.woocommerce_delete_order")
    assert one.json == {"action": "woocommerce_delete_order", "arg": order_id}
    assert sent(app, "order.deleted") == []


@pytest.mark.parametrize(("checkout", "status"), [("classic", "cancelled"), ("block", "pending")])
def test_an_unpaid_order_is_cancelled_by_itself_on_the_classic_checkout_only(
    shop: WooCommerceTwin, clock: Clock, checkout: Any, status: str
) -> None:
    shop.store.checkout = checkout
    key = shop.start_cart([("BOUG-LAV", 1)])
    shop.type_into(key, "lea@example.com")
    order = shop.buy(key, "offsite")
    clock.advance(hours=2)
    shop.cancel_unpaid()
    assert order.status == status


def test_a_refund_in_part_keeps_the_status_and_one_in_full_changes_it(app: PlayedApp, shop: WooCommerceTwin) -> None:
    order_id = ordered(shop)
    assert app.rest("POST", f"/wc/v3/orders/{order_id}/refunds", {"amount": "3.00"})[0] == 201
    body = app.rest("GET", f"/wc/v3/orders/{order_id}")[1]
    assert (body["status"], body["refunds"][0]["total"]) == ("processing", "-3.00")
    shop.refund(order_id, shop.store.orders[order_id].total - Decimal("3.00"))
    assert app.rest("GET", f"/wc/v3/orders/{order_id}")[1]["status"] == "refunded"


# People.


def test_guests_are_never_listed_and_subscribers_only_when_asked_for(app: PlayedApp, shop: WooCommerceTwin) -> None:
    ordered(shop)
    shop.add_customer(Contact("lecteur@example.com"), role="subscriber")
    number = shop.add_customer(LEA)
    assert [one["id"] for one in app.rest("GET", "/wc/v3/customers")[1]] == [number]
    assert len(app.rest("GET", "/wc/v3/customers", role="all")[1]) == 2
    assert topics(app).count("customer.created") == 2
    assert app.rest("GET", "/wc/v3/customers", role="emperor")[0] == 400


def test_customers_are_walked_by_id_or_by_when_they_registered(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    first = shop.add_customer(Contact("b@example.com"))
    clock.advance(seconds=5)
    second = shop.add_customer(Contact("a@example.com"))

    def ids(**params: str) -> list[int]:
        return [one["id"] for one in app.rest("GET", "/wc/v3/customers", **params)[1]]

    assert ids() == [second, first]
    assert ids(orderby="id", order="desc") == [second, first]
    assert ids(orderby="registered_date", order="asc") == [first, second]
    assert ids(include=str(first)) == [first]
    assert ids(email="A@example.com") == [second]
    assert ids(modified_after="2030-01-01T00:00:00") == [second, first]


def test_a_save_that_changes_nothing_tells_all_the_same_and_a_deletion_tells(app: PlayedApp, shop: WooCommerceTwin) -> None:
    number = shop.add_customer(LEA)
    topics(app)
    assert app.rest("PUT", f"/wc/v3/customers/{number}", {"first_name": "Léa"})[1]["first_name"] == "Léa"
    assert topics(app) == ["customer.updated"]
    assert app.rest("DELETE", f"/wc/v3/customers/{number}", force="true")[0] == 200
    assert topics(app) == ["customer.deleted"]
    assert app.rest("POST", "/wc/v3/customers", {"email": "neu@example.com"})[0] == 201


# Products.


def test_a_changed_variation_goes_out_under_its_own_id(app: PlayedApp, shop: WooCommerceTwin) -> None:
    status, body, _ = app.rest("PUT", "/wc/v3/products/36/variations/38", {"regular_price": "17.50", "stock_quantity": 3})
    assert (status, body["price"], body["stock_quantity"], body["stock_status"]) == (200, "17.50", 3, "instock")
    one = sent(app, "product.updated")[-1].json
    assert (one["id"], one["parent_id"], one["type"]) == (38, 36, "variation")
    assert shop.find_product("38")[0].variations[0].price == Decimal("9.50")


def test_stock_and_status_of_products_are_told_and_kept(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    clock.advance(minutes=1)
    shop.set_stock("BOUG-LAV", 0)
    body = sent(app, "product.updated")[0].json
    assert (body["manage_stock"], body["stock_quantity"], body["stock_status"]) == (True, 0, "outofstock")
    assert body["date_modified_gmt"] == "2026-11-21T10:16:30"
    shop.hide_product("BOUG-LAV")
    assert app.rest("GET", "/wc/v3/products/16")[1]["status"] == "draft"
    changed = app.rest("GET", "/wc/v3/products", modified_after="2026-11-21T10:16:00", dates_are_gmt="true")[1]
    assert [one["id"] for one in changed] == [16]
    assert app.rest("PUT", "/wc/v3/products/19", {"name": "Savon"})[1]["name"] == "Savon"
    assert [one["stock_status"] for one in app.rest("GET", "/wc/v3/products", include="19")[1]] == ["instock"]


@pytest.mark.parametrize(
    ("force", "told"), [("false", ["product.deleted", "coupon.deleted"]), ("true", ["action.woocommerce_delete_product"])]
)
def test_a_product_trashed_by_rest_tells_of_a_coupon_too_and_one_deleted_by_force_of_neither(
    app: PlayedApp, shop: WooCommerceTwin, force: str, told: list[str]
) -> None:
    assert app.rest("DELETE", "/wc/v3/products/16", force=force)[0] == 200
    assert topics(app) == told
    listed = [one["id"] for one in app.rest("GET", "/wc/v3/products")[1]]
    assert 16 not in listed
    assert app.rest("GET", "/wc/v3/products/16")[0] == (404 if force == "true" else 200)


def test_a_product_trashed_in_wp_admin_tells_of_itself_only(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.trash_product("16")
    assert topics(app) == ["product.deleted"]
    shop.show_product("16")
    assert app.rest("GET", "/wc/v3/products/16")[1]["status"] == "publish"


def test_what_is_not_sold_leaves_the_cart_at_the_checkout_page(shop: WooCommerceTwin) -> None:
    key = shop.start_cart([("BOUG-LAV", 3), ("SAVON-MRS", 1)])
    shop.set_stock("BOUG-LAV", 2)
    shop.hide_product("SAVON-MRS")
    order = shop.open_page(key)
    assert order is not None
    assert [(item.reference, item.quantity) for item in order.items] == [("16", 2)]


# Webhooks.


def test_a_topic_in_capitals_is_taken_and_dead(app: PlayedApp, shop: WooCommerceTwin) -> None:
    assert subscribe(app, "ORDER.UPDATED")["topic"] == "ORDER.UPDATED"
    app.heard.clear()
    shop.open_checkout([("BOUG-LAV", 1)])
    assert topics(app) == ["order.updated"]


def test_switched_on_again_a_webhook_goes_off_at_the_next_failure(app: PlayedApp, shop: WooCommerceTwin) -> None:
    webhook = subscribe(app, "order.updated", "https://connector.test/broken")
    app.statuses["/broken"] = 500
    order_id = shop.open_checkout([("BOUG-LAV", 1)])
    for number in range(6):
        assert app.world.settle()
        shop.type_contact(order_id, f"{number}@example.com")
    assert app.world.settle()
    path = f"/wc/v3/webhooks/{webhook['id']}"
    assert app.rest("GET", path)[1]["status"] == "disabled"
    app.rest("PUT", path, {"status": "active"})
    shop.type_contact(order_id, "again@example.com")
    assert app.world.settle()
    assert app.rest("GET", path)[1]["status"] == "disabled"


@pytest.mark.parametrize(("answer", "failures"), [(200, 0), (204, 0), (301, 0), (302, 0), (307, 1), (404, 1)])
def test_a_redirect_counts_as_delivered(app: PlayedApp, shop: WooCommerceTwin, answer: int, failures: int) -> None:
    webhook = subscribe(app, "order.updated", "https://connector.test/odd")
    app.statuses["/odd"] = answer
    shop.open_checkout([("BOUG-LAV", 1)])
    assert app.world.settle()
    assert shop.store.webhooks[webhook["id"]].failures == failures


def test_deliveries_of_one_webhook_in_one_second_share_their_id(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    for _ in range(2):
        shop.open_checkout([("BOUG-LAV", 1)])
    assert app.world.settle()
    clock.advance(seconds=1)
    shop.open_checkout([("BOUG-LAV", 1)])
    ids = [one.headers["x-wc-webhook-delivery-id"] for one in sent(app, "order.updated")]
    assert (ids[0] == ids[1], ids[1] == ids[2]) == (True, False)


def test_a_copy_of_the_store_delivers_to_the_same_address_under_its_own_name(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.store.home = "https://staging.boutique.test"
    shop.open_checkout([("BOUG-LAV", 1)])
    one = sent(app, "order.updated")[0]
    assert one.headers["x-wc-webhook-source"] == "https://staging.boutique.test/"
    assert one.json["payment_url"].startswith("https://staging.boutique.test/checkout/order-pay/")
    assert one.json["_links"]["self"][0]["href"].startswith("https://staging.boutique.test/wp-json/")


def test_once_the_owner_of_the_keys_lost_the_rights_calls_are_403_and_bodies_errors(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.store.owner_has_rights = False
    status, body, _ = app.rest("GET", "/wc/v3/orders")
    assert (status, body["code"]) == (403, "woocommerce_rest_cannot_view")
    shop.open_checkout([("BOUG-LAV", 1)])
    assert sent(app, "order.updated")[0].json["data"] == {"status": 403}


# What the store says of itself.


def test_the_system_status_names_versions_storage_checkout_page_and_plugins(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.store.version, shop.store.hpos, shop.store.checkout = "11.0.0", False, "classic"
    shop.store.active_plugins = ("klaviyo/klaviyo.php",)
    shop.plugin = True
    status = app.rest("GET", "/wc/v3/system_status")[1]
    assert (status["environment"]["version"], status["environment"]["wp_version"]) == ("11.0.0", "6.9.7")
    assert (status["settings"]["HPOS_enabled"], status["settings"]["order_datastore"]) == (False, "WC_Order_Data_Store_CPT")
    checkout = next(page for page in status["pages"] if page["page_name"] == "Checkout")
    assert (checkout["block_present"], checkout["shortcode_present"]) == (False, True)
    files = [one["plugin"] for one in status["active_plugins"]]
    assert files == ["woocommerce/woocommerce.php", "connector-carts/connector-carts.php", "klaviyo/klaviyo.php"]
    assert "wc-connector/v1" in app.rest("GET", "/")[1]["namespaces"]


def test_a_server_may_take_the_authorization_header_away(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.keys.drops_authorization = True
    try:
        assert app.rest("GET", "/wc/v3/orders")[0] == 401
        keys = {name: app.keys[name] for name in ("consumer_key", "consumer_secret")}
        answer = app.client.send("woocommerce", "test", "GET", "https://boutique.test/wp-json/wc/v3/orders", params=keys)
        assert (answer.status, json.loads(answer.body)) == (200, [])
    finally:
        shop.keys.drops_authorization = False
