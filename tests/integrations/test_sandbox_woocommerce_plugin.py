"""The companion plugin on the pretend WooCommerce store: which carts it keeps and tells, and what closes them."""

from collections.abc import Iterator
from typing import Any

import pytest

from integrations.sandbox.woocommerce_capture import TOPIC, WORDINGS
from integrations.sandbox.woocommerce_store import Contact
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from tests.integrations.sandbox_app import Clock, PlayedApp, played, reset_woocommerce, sent, subscribe

LEA = Contact("lea@example.com", "Léa", "Fournier", "06 45 67 89 01")
TELLS = {
    "connector", "plugin", "woocommerce", "wordpress", "home", "event_id", "token", "seq", "status", "stage", "created_at", "updated_at",
    "order_id", "customer_id", "email", "phone", "first_name", "last_name", "company", "country", "consents", "currency",
    "prices_include_tax", "locale", "lines", "coupons", "fees", "shipping", "totals", "restore_url",
}  # fmt: skip
LINE = {
    "key", "product_id", "variation_id", "attributes", "name", "sku", "quantity",
    "subtotal", "subtotal_tax", "total", "total_tax", "image", "url",
}  # fmt: skip


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("plugin"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    """Our role, subscribed to the plugin's topic on a store that has the plugin."""
    reset_woocommerce(running, clock)
    running.world.woocommerce.plugin = True
    subscribe(running, TOPIC)
    running.heard.clear()
    yield running
    running.world.settle()


@pytest.fixture
def shop(app: PlayedApp) -> WooCommerceTwin:
    return app.world.woocommerce


def told(app: PlayedApp) -> list[dict[str, Any]]:
    """The snapshots that arrived, in order."""
    return [one.json for one in sent(app, TOPIC)]


def left(shop: WooCommerceTwin, email: str = "lea@example.com") -> str:
    """Somebody fills a cart, opens the checkout, types an address and goes; the session's key."""
    key = shop.start_cart([("HUILE-500", 2), ("BOUG-LAV", 1)])
    shop.open_page(key)
    shop.type_into(key, email)
    return key


def test_a_snapshot_tells_everything_and_to_the_cent(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.coupons.make("welcome10", discount_type="percent", amount="10")
    key = shop.start_cart([("HUILE-500", 2)])
    shop.store.sessions[key].coupons = ["welcome10"]
    shop.open_page(key)
    shop.type_into(key, "lea@example.com", "06 45 67 89 01", "Léa Fournier", "FR")
    (one,) = told(app)
    assert set(one) == TELLS
    token = shop.token_of(key)
    assert (one["connector"], one["event_id"], one["token"], one["seq"], len(token)) == (1, f"{token}-1", token, 1, 32)
    assert (one["status"], one["stage"], one["created_at"], one["updated_at"]) == (
        "open",
        "checkout",
        "2026-11-21T10:15:30Z",
        "2026-11-21T10:15:30Z",
    )
    assert [one[name] for name in ("email", "phone", "first_name", "last_name", "country", "locale", "currency")] == [
        "lea@example.com", "06 45 67 89 01", "Léa", "Fournier", "FR", "fr_FR", "EUR",
    ]  # fmt: skip
    (line,) = one["lines"]
    assert set(line) == LINE
    assert (line["product_id"], line["variation_id"], line["attributes"], line["quantity"]) == (36, 38, {"volume": "500 ml"}, "2")
    assert [line[name] for name in ("subtotal", "subtotal_tax", "total", "total_tax")] == ["26.67", "5.33", "24.00", "4.80"]
    assert one["shipping"] == {"method": "Colissimo", "total": "4.90", "tax": "0.98"}
    assert one["totals"] == {
        "subtotal": "26.67", "subtotal_tax": "5.33", "discount": "2.67", "discount_tax": "0.53",
        "shipping": "4.90", "shipping_tax": "0.98", "fees": "0.00", "tax": "5.78", "total": "34.68",
    }  # fmt: skip
    assert one["coupons"] == ["welcome10"]
    assert one["restore_url"].startswith(f"https://boutique.test/?connector_cart={token}.")


def test_nothing_is_told_before_an_address_is_known_and_each_change_once(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    key = shop.start_cart([("BOUG-LAV", 1)])
    shop.open_page(key)
    assert told(app) == []
    assert shop.store.plugin.carts == {}
    shop.type_into(key, "lea@example.com")
    app.world.settle()
    clock.advance(seconds=30)
    shop.set_quantity(key, "SAVON-MRS", 2)
    app.world.settle()
    shop.type_into(key, "lea@example.com")
    assert [(one["seq"], len(one["lines"]), one["updated_at"]) for one in told(app)] == [
        (1, 1, "2026-11-21T10:15:30Z"),
        (2, 2, "2026-11-21T10:16:00Z"),
    ]


def test_the_time_of_a_cart_never_goes_back(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    key = left(shop)
    app.world.settle()
    clock.advance(seconds=-20)
    shop.set_quantity(key, "SAVON-MRS", 1)
    first, second = told(app)
    assert (first["updated_at"], second["seq"]) == (second["updated_at"], 2)


def test_a_burst_is_one_delivery_with_the_latest_state(app: PlayedApp, shop: WooCommerceTwin) -> None:
    with shop.deliveries.held():
        key = left(shop)
        shop.set_quantity(key, "SAVON-MRS", 3)
    (one,) = told(app)
    assert (one["seq"], len(one["lines"])) == (2, 3)


def test_while_the_plugin_is_off_its_topic_is_the_bare_action(app: PlayedApp, shop: WooCommerceTwin) -> None:
    with shop.deliveries.held():
        token = shop.token_of(left(shop))
        shop.plugin = False
    assert told(app) == [{"action": "wc_connector_cart", "arg": token}]
    assert app.rest("GET", "/wc-connector/v1/status")[1]["code"] == "rest_no_route"


@pytest.mark.parametrize(
    ("checkout", "version", "drafts"), [("block", "10.5.0", 1), ("block", "10.8.0", 0), ("block", "11.0.0", 0), ("classic", "10.5.0", 0)]
)
@pytest.mark.parametrize("who", ["guest", "logged in"])
def test_every_checkout_page_shows_the_cart_before_the_order(
    app: PlayedApp, shop: WooCommerceTwin, checkout: Any, version: str, drafts: int, who: str
) -> None:
    shop.store.checkout, shop.store.version = checkout, version
    customer = shop.add_customer(LEA) if who == "logged in" else 0
    key = shop.start_cart([("BOUG-LAV", 1)], customer)
    shop.open_page(key)
    if not customer:
        shop.type_into(key, "lea@example.com")
    last = told(app)[-1]
    assert (last["email"], last["customer_id"], last["stage"]) == ("lea@example.com", customer, "checkout")
    assert len(shop.store.orders) == drafts
    order = shop.buy(key)
    created = sent(app, "order.created")[0].json
    assert created["created_via"] == ("checkout" if checkout == "classic" else "store-api")
    assert {"_connector_cart": last["token"]}.items() <= {one["key"]: one["value"] for one in created["meta_data"]}.items()
    assert [(one["status"], one["order_id"]) for one in told(app)][-1] == ("ordered", order.id)


@pytest.mark.parametrize(("method", "status"), [("card", "ordered"), ("bacs", "ordered"), ("offsite", "placed"), ("declined", "placed")])
def test_the_way_of_paying_decides_what_becomes_of_the_cart(app: PlayedApp, shop: WooCommerceTwin, method: str, status: str) -> None:
    order = shop.buy(left(shop), method)
    assert [(one["status"], one["order_id"]) for one in told(app)][-1] == (status, order.id)


def test_a_cart_whose_order_is_paid_later_is_ordered_then(app: PlayedApp, shop: WooCommerceTwin) -> None:
    key = left(shop)
    app.world.settle()
    order = shop.buy(key, "offsite")
    app.world.settle()
    shop.place_order(order.id, "card")
    assert [one["status"] for one in told(app)] == ["open", "placed", "ordered"]


def test_an_order_closes_all_open_carts_of_that_person_by_account_and_by_address(app: PlayedApp, shop: WooCommerceTwin) -> None:
    customer = shop.add_customer(LEA)
    mine = [left(shop), left(shop, " LEA@example.com"), shop.start_cart([("SAVON-MRS", 1)], customer)]
    other = left(shop, "max@example.com")
    tokens = {shop.token_of(key) for key in mine}
    other_token = shop.token_of(other)
    app.world.settle()
    shop.make_order([("SAVON-MRS", 1)], LEA, customer_id=customer)
    states = {one["token"]: one["status"] for one in told(app)}
    assert {states[token] for token in tokens} == {"ordered"}
    assert states[other_token] == "open"


def test_a_guest_who_makes_an_account_while_paying_closes_the_guests_cart(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.store.checkout = "classic"
    key = left(shop)
    token = shop.token_of(key)
    app.world.settle()
    order = shop.buy(key, makes_account=True)
    assert order.customer_id in shop.store.customers
    assert [(one["token"], one["status"]) for one in told(app)] == [(token, "open"), (token, "ordered")]


def test_after_an_order_nothing_is_caught_for_five_minutes_and_then_under_a_new_name(
    app: PlayedApp, shop: WooCommerceTwin, clock: Clock
) -> None:
    key = left(shop)
    first = shop.token_of(key)
    shop.buy(key)
    shop.set_quantity(key, "SAVON-MRS", 1)
    assert shop.token_of(key) == ""
    clock.advance(minutes=5)
    shop.set_quantity(key, "SAVON-MRS", 2)
    assert shop.token_of(key) not in {"", first}
    assert told(app)[-1]["status"] == "open"


def test_an_emptied_cart_says_so_and_keeps_its_name(app: PlayedApp, shop: WooCommerceTwin) -> None:
    key = left(shop)
    app.world.settle()
    shop.set_quantity(key, "HUILE-500", 0)
    shop.set_quantity(key, "BOUG-LAV", 0)
    last = told(app)[-1]
    assert (last["status"], last["lines"], last["token"]) == ("emptied", [], shop.token_of(key))


def test_boxes_are_told_with_their_words_and_time_and_unticking_revokes(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    key = left(shop)
    shop.watch.consent(key, "email", is_given=True)
    app.world.settle()
    clock.advance(minutes=1)
    shop.watch.consent(key, "email", is_given=False)
    given, revoked = (one["consents"][0] for one in told(app)[-2:])
    assert given == {
        "channel": "email", "state": "subscribed", "at": "2026-11-21T10:15:30Z", "wording": WORDINGS["email"], "source": "block",
    }  # fmt: skip
    assert (revoked["state"], revoked["at"]) == ("unsubscribed", "2026-11-21T10:16:30Z")


def test_no_thanks_leaves_nothing_but_the_carts_name(app: PlayedApp, shop: WooCommerceTwin) -> None:
    key = left(shop)
    token = shop.token_of(key)
    app.world.settle()
    shop.watch.opt_out(key)
    shop.set_quantity(key, "SAVON-MRS", 4)
    last = told(app)[-1]
    assert (last["token"], last["status"], last["seq"], last["home"]) == (token, "forgotten", 2, "https://boutique.test")
    assert [last[name] for name in ("email", "phone", "first_name", "lines", "restore_url", "coupons")] == ["", "", "", [], "", []]
    assert len(shop.store.plugin.carts) == 1


@pytest.mark.parametrize(("mode", "guest", "agreed", "customer"), [("off", 0, 0, 0), ("logged_in", 0, 0, 1), ("opt_in", 0, 1, 0)])
def test_the_capture_mode_is_kept(app: PlayedApp, shop: WooCommerceTwin, mode: Any, guest: int, agreed: int, customer: int) -> None:
    shop.store.plugin.capture = mode
    left(shop)
    assert len(told(app)) == guest
    shop.watch.consent(left(shop, "max@example.com"), "email", is_given=True)
    assert len(told(app)) == guest + agreed
    shop.start_cart([("SAVON-MRS", 1)], shop.add_customer(LEA))
    assert len(told(app)) == guest + agreed + customer


def test_a_copy_of_the_site_an_administrator_and_an_empty_cart_are_left_alone(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.start_cart([("SAVON-MRS", 1)], shop.add_customer(LEA, role="administrator"))
    shop.type_into(shop.start_cart([]), "max@example.com")
    shop.store.home = "https://staging.boutique.test"
    left(shop)
    assert told(app) == []
    assert app.rest("GET", "/wc-connector/v1/status")[1]["moved"] is True


def test_what_webhooks_lost_can_be_pulled_oldest_change_first(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    tokens = []
    for _ in range(3):
        tokens.append(shop.token_of(left(shop)))
        clock.advance(seconds=10)
    status, carts, headers = app.rest("GET", "/wc-connector/v1/carts", modified_after="2026-11-21T10:15:40Z", per_page="1")
    assert (status, [one["token"] for one in carts], headers["x-wp-totalpages"]) == (200, tokens[1:2], "2")
    second = app.rest("GET", "/wc-connector/v1/carts", modified_after="2026-11-21T10:15:40", per_page="1", page="2")[1]
    assert [one["token"] for one in second] == tokens[2:]
    assert len(app.rest("GET", "/wc-connector/v1/carts")[1]) == 3
    assert app.rest("GET", "/wc-connector/v1/carts", modified_after="soon")[0] == 400
    assert app.rest("GET", f"/wc-connector/v1/carts/{tokens[0]}")[1]["email"] == "lea@example.com"
    gone = app.rest("GET", f"/wc-connector/v1/carts/{'0' * 32}")
    assert (gone[0], gone[1]["code"]) == (404, "connector_no_such_cart")


def test_the_plugins_state_can_be_read_with_a_key_only(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.store.active_plugins = ("automatewoo/automatewoo.php", "klaviyo/klaviyo.php", "akismet/akismet.php")
    left(shop)
    app.world.settle()
    status = app.rest("GET", "/wc-connector/v1/status")[1]
    known = {name: status[name] for name in ("checkout", "hpos", "capture", "moved", "open_carts")}
    assert known == {"checkout": "block", "hpos": True, "capture": "everyone", "moved": False, "open_carts": 1}
    assert status["webhook"] == {"status": "active", "last_success": "2026-11-21T10:15:30Z", "failures": 0}
    assert status["mailers"] == ["automatewoo", "klaviyo"]
    app.keys = {}
    for path in ("status", "carts", f"carts/{'0' * 32}"):
        assert app.rest("GET", f"/wc-connector/v1/{path}")[0] == 401
