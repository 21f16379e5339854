"""The plugin's link back to a cart, on the pretend WooCommerce store: what it does, and what it never does."""

from collections.abc import Iterator

import pytest

from connector.errors import Refused
from integrations.sandbox.shopper import Browser, Page
from integrations.sandbox.woocommerce_actions import SESSION_COOKIE
from integrations.sandbox.woocommerce_store import Contact
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from tests.integrations.sandbox_app import Clock, PlayedApp, played, reset_woocommerce

STORE = "https://boutique.test"
LEA = Contact("lea@example.com", "Léa", "Fournier", "06 45 67 89 01", "8 rue du Bac", "Paris", "75007")
PRIVATE = ("lea@example.com", "Fournier", "06 45 67 89 01", "rue du Bac", "75007")
NOTICE = "Something has changed since your last visit."


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("links"), clock) as app:
        yield app


@pytest.fixture
def shop(running: PlayedApp, clock: Clock) -> Iterator[WooCommerceTwin]:
    """A store with the plugin."""
    reset_woocommerce(running, clock)
    running.world.woocommerce.plugin = True
    yield running.world.woocommerce
    running.world.settle()


@pytest.fixture
def browser(running: PlayedApp) -> Iterator[Browser]:
    """A browser that has never been here: another device."""
    browser = running.world.browser()
    yield browser
    browser.close()


def leave(shop: WooCommerceTwin, *lines: tuple[str, int], customer_id: int = 0, coupon: str = "") -> str:
    """Léa fills a cart, opens the checkout, types everything, and goes; the session's key."""
    key = shop.start_cart(lines or [("HUILE-500", 2), ("BOUG-LAV", 1)], customer_id)
    shop.store.sessions[key].coupons = [coupon] if coupon else []
    shop.open_page(key)
    shop.type_into(key, LEA.email, LEA.phone, "Léa Fournier", "FR")
    return key


def link(shop: WooCommerceTwin, key: str) -> str:
    return shop.restore_url(shop.token_of(key))


def bought(shop: WooCommerceTwin) -> dict[str, int]:
    """What stands in the newest order."""
    order = list(shop.store.orders.values())[-1]
    return {(item.variation.sku if item.variation else item.product.sku): item.quantity for item in order.items}


def buy(browser: Browser, page: Page, email: str = "lea@example.com") -> Page:
    """Go on from wherever the link led, and place the order."""
    if "Proceed to checkout" in page.text:
        page = browser.click(page, "Proceed to checkout")
    return browser.submit(page, email=email)


@pytest.mark.spec("C29")
def test_the_link_fills_a_cart_on_another_device_and_the_order_can_be_placed(shop: WooCommerceTwin, browser: Browser) -> None:
    key = leave(shop)
    token = shop.token_of(key)
    page = browser.open(link(shop, key))
    assert (page.status, "Place order" in page.text) == (200, True)
    assert "received" in buy(browser, page).text
    assert bought(shop) == {"HUILE-500": 2, "BOUG-LAV": 1}
    assert shop.store.plugin.carts[token].status == "ordered"
    assert list(shop.store.orders.values())[-1].cart_token == token


@pytest.mark.spec("C30")
def test_the_link_brings_back_variation_and_attributes(shop: WooCommerceTwin, browser: Browser) -> None:
    page = browser.open(link(shop, leave(shop, ("HUILE-500", 1))))
    assert "500 ml" in page.text
    assert "250 ml" not in page.text
    buy(browser, page)
    (item,) = list(shop.store.orders.values())[-1].items
    assert item.variation is not None
    assert (item.variation.id, item.variation.option) == (38, "500 ml")


@pytest.mark.spec("C31")
def test_the_link_adds_to_what_is_in_the_cart_and_the_larger_quantity_stays(shop: WooCommerceTwin, browser: Browser) -> None:
    theirs = shop.start_cart([("SAVON-MRS", 3), ("BOUG-LAV", 5)])
    browser.set_cookie(STORE, SESSION_COOKIE, theirs)
    browser.open(link(shop, leave(shop)))
    assert shop.store.sessions[theirs].cart == {"19": 3, "16": 5, "38": 2}


@pytest.mark.spec("C32")
def test_whatever_cannot_be_had_any_more_is_named(shop: WooCommerceTwin, browser: Browser) -> None:
    shop.coupons.make("merci10", discount_type="percent", amount="10")
    key = leave(shop, ("SAVON-MRS", 3), ("BOUG-LAV", 1), ("COF-DEC", 2), coupon="merci10")
    shop.trash_product("BOUG-LAV")
    shop.set_stock("COF-DEC", 0)
    shop.set_stock("SAVON-MRS", 1)
    gone = shop.store.coupons.by_code("merci10")
    assert gone is not None
    shop.coupons.trash(gone.id)
    page = browser.open(link(shop, key))
    for words in (
        NOTICE,
        "Bougie parfumée « Lavande » is not sold any more.",
        "Coffret découverte is sold out.",
        "Only 1 of Savon de Marseille are left.",
        "The coupon merci10 is not valid any more.",
    ):
        assert words in page.text
    buy(browser, page)
    assert bought(shop) == {"SAVON-MRS": 1}


def test_a_price_that_changed_is_said_and_the_current_one_counts(shop: WooCommerceTwin, browser: Browser) -> None:
    key = leave(shop, ("HUILE-500", 2))
    shop.set_price("HUILE-500", "17.50")
    for _ in range(2):
        page = browser.open(link(shop, key))
        assert "The price of Huile d’olive AOP - 500 ml has changed from 16.00 to 17.50 EUR." in page.text
    assert "40.88 EUR" in page.text
    buy(browser, page)
    assert str(list(shop.store.orders.values())[-1].total) == "40.88"


def test_the_coupon_of_the_cart_is_applied_again(shop: WooCommerceTwin, browser: Browser) -> None:
    shop.coupons.make("merci10", discount_type="percent", amount="10")
    page = browser.open(link(shop, leave(shop, ("BOUG-LAV", 1), coupon="merci10")))
    assert "Coupon merci10" in page.text
    buy(browser, page)
    order = list(shop.store.orders.values())[-1]
    used = shop.store.coupons.by_code("merci10")
    assert used is not None
    assert (order.coupons, str(order.discount_net + order.discount_tax), used.usage_count) == (["merci10"], "2.49", 1)


@pytest.mark.spec("C5")
def test_an_emptied_cart_is_not_brought_back(shop: WooCommerceTwin, browser: Browser) -> None:
    key = leave(shop, ("BOUG-LAV", 1))
    address = link(shop, key)
    shop.set_quantity(key, "BOUG-LAV", 0)
    page = browser.open(address)
    assert "Your cart is empty" in page.text
    assert "Bougie" not in page.text
    assert "Your cart is empty" in browser.open(f"{STORE}/checkout/").text


@pytest.mark.parametrize(
    ("method", "words"), [("offsite", "Pay for order"), ("card", "Thank you. The order of this cart has been received.")]
)
def test_a_cart_that_became_an_order_leads_to_its_payment_or_says_thank_you(
    shop: WooCommerceTwin, browser: Browser, clock: Clock, method: str, words: str
) -> None:
    key = leave(shop)
    address = link(shop, key)
    order = shop.buy(key, method)
    page = browser.open(address)
    assert words in page.text
    assert not [one for one in PRIVATE if one in page.html]
    clock.advance(minutes=11)
    later = browser.open(address)
    assert ("confirm the e-mail address" in later.text) == (method == "offsite")
    assert not [one for one in PRIVATE if one in later.html]
    assert list(shop.store.orders) == [order.id]


def test_an_old_guest_orders_page_opens_for_whoever_knows_the_address(shop: WooCommerceTwin, browser: Browser, clock: Clock) -> None:
    key = leave(shop)
    order = shop.buy(key, "offsite")
    clock.advance(hours=1)
    asked = browser.open(shop.payment_url(order.id))
    assert "confirm" in browser.submit(asked, checked_email="max@example.com").text
    browser.click(browser.submit(asked, checked_email=" LEA@example.com"), "Pay for order")
    assert shop.store.orders[order.id].status == "processing"


def test_a_customers_unpaid_order_is_shown_to_nobody_who_is_not_logged_in(shop: WooCommerceTwin, browser: Browser) -> None:
    key = leave(shop, customer_id=shop.add_customer(LEA))
    address = link(shop, key)
    order = shop.buy(key, "offsite")
    page = browser.open(address)
    assert "Please log in" in page.text
    assert not [one for one in (*PRIVATE, "Bougie") if one in page.html]
    assert browser._visit("POST", shop.payment_url(order.id), b"").text == page.text
    assert order.status == "pending"
    browser.set_cookie(STORE, SESSION_COOKIE, key)
    assert "Pay for order" in browser.open(address).text


def test_a_cart_closed_by_its_address_does_not_open_the_order_of_whoever_shares_it(shop: WooCommerceTwin, browser: Browser) -> None:
    address = link(shop, leave(shop))
    other = shop.buy(leave(shop, ("SAVON-MRS", 1)), "card")
    shop.set_status(other.id, "pending")
    page = browser.open(address)
    assert other.key not in page.url
    assert "Pay for order" not in page.text


@pytest.mark.spec("C33", "SEC-212")
def test_the_link_logs_nobody_in_and_shows_nothing_of_anybody(shop: WooCommerceTwin, browser: Browser) -> None:
    customer = shop.add_customer(LEA)
    key = leave(shop, customer_id=customer)
    address = link(shop, key)
    page = browser.open(address)
    assert not [one for one in PRIVATE if one in page.html or one in page.url]
    assert {field: value for form in page.forms for field, value in form.fields.items() if field in {"email", "name", "phone"}} == {
        "email": "", "name": "", "phone": "",
    }  # fmt: skip
    visitors = [one for name, one in shop.store.sessions.items() if name != key]
    assert [(one.customer_id, one.contact.email) for one in visitors] == [(0, "")]
    assert not [one for one in PRIVATE if one in browser.open(f"{STORE}/checkout/").html]


def test_a_link_that_was_passed_on_does_not_mix_two_people(shop: WooCommerceTwin, browser: Browser) -> None:
    key = leave(shop)
    token = shop.token_of(key)
    page = browser.open(link(shop, key))
    buy(browser, page, "max@example.com")
    carts = shop.store.plugin.carts
    assert carts[token].who.email == "lea@example.com"
    assert [cart.who.email for name, cart in carts.items() if name != token] in ([], ["max@example.com"])


@pytest.mark.spec("SEC-210")
def test_a_link_with_one_bit_changed_or_without_its_seal_leads_nowhere(shop: WooCommerceTwin, browser: Browser) -> None:
    whole = link(shop, leave(shop)).partition("=")[2]
    token, until, seal = whole.split(".")
    flipped = [
        whole[:place] + chr(ord(whole[place]) ^ 1) + whole[place + 1 :] for place in [*range(0, 32, 5), *range(33, 43), *range(44, 108, 7)]
    ]
    broken = [token, f"{token}.{until}", f"{token}.{until}.", f".{until}.{seal}", f"{token}..{seal}", ""]
    broken += [whole.upper(), whole + "0", whole[:-1]]
    other = link(shop, leave(shop)).partition("=")[2].split(".")[0]
    for text in [*flipped, *broken, f"{other}.{until}.{seal}", f"{token}.{int(until) + 1}.{seal}"]:
        before = len(shop.store.sessions)
        page = browser.open(f"{STORE}/?connector_cart={text}")
        assert (page.status, len(shop.store.sessions)) == (404, before), text
    assert browser.open(f"{STORE}/?connector_cart={whole}").status == 200


def test_a_link_that_has_ended_changes_nothing_and_says_so(shop: WooCommerceTwin, browser: Browser, clock: Clock) -> None:
    address = link(shop, leave(shop))
    clock.advance(days=30, seconds=2)
    page = browser.open(address)
    assert "This link has ended. It did not change your cart." in page.text
    assert "Bougie" not in page.text


@pytest.mark.spec("SEC-211")
@pytest.mark.parametrize("key", [b"", b"short", b"k" * 31, bytes(32)])
def test_without_a_proper_key_no_link_is_made_and_none_is_taken(shop: WooCommerceTwin, browser: Browser, key: bytes) -> None:
    good = link(shop, leave(shop))
    shop.store.plugin.link_key = key
    with pytest.raises(Refused):
        shop.restore_url(next(iter(shop.store.plugin.carts)))
    assert browser.open(good).status == 404


@pytest.mark.spec("SEC-213")
def test_a_cart_goes_by_128_random_bits_and_by_nothing_else(shop: WooCommerceTwin, browser: Browser, running: PlayedApp) -> None:
    tokens = [shop.token_of(leave(shop)) for _ in range(50)]
    assert len(set(tokens)) == 50
    bits = [int(token, 16) for token in tokens]
    assert all(0 < sum(number >> place & 1 for number in bits) < 50 for place in range(128))
    for guess in ("lea@example.com", "1", "2d1f9a7e5b1f0c3d4e5f60718293a4b5"):
        assert browser.open(f"{STORE}/?connector_cart={guess}").status == 404
        assert running.rest("GET", f"/wc-connector/v1/carts/{guess}")[0] == 404


def test_forgotten_carts_and_looks_ahead_change_nothing(shop: WooCommerceTwin, browser: Browser, running: PlayedApp) -> None:
    key = leave(shop)
    address = link(shop, key)
    plain = running.world.browser_map[STORE] + address.removeprefix(STORE)
    before = len(shop.store.sessions)
    assert running.client.send("test", "look", "GET", plain, headers={"sec-purpose": "prefetch"}).status == 503
    assert len(shop.store.sessions) == before
    shop.watch.opt_out(key)
    assert "This cart is no longer saved." in browser.open(address).text
