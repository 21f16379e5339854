"""
Carts of the pretend WooCommerce store from typing to buying: the plugin's webhook through our door, our mail, our link, the plugin's
own link, and the order that comes of it.
"""

import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from connector.cli.demo.story import Story
from connector.cli.demo.world import World, open_world
from connector.config import Settings
from connector.store import migrate
from integrations.sandbox.mail_catcher import CaughtMail
from integrations.sandbox.shopper import Browser, Page
from integrations.sandbox.woocommerce_actions import SESSION_COOKIE
from integrations.sandbox.woocommerce_capture import TOPIC
from integrations.sandbox.woocommerce_store import Contact, Order
from integrations.sandbox.woocommerce_storeapi import nonce_of
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from integrations.transport import Transport
from tests.integrations.sandbox_app import refurnish

WAIT = timedelta(minutes=61)
SEEN_WITHIN_SECONDS = 5
FAMILY = "Fournier-Lacaze"
PHONE = "06 45 67 89 01"
CHECKOUTS = [
    pytest.param("block", "10.5.0", id="block before 10.8"),
    pytest.param("block", "11.0.0", id="block of 11"),
    pytest.param("classic", "10.5.0", id="classic"),
]


class Shopping:
    """The app with one WooCommerce store that has the plugin, and everybody who shops there. Each test brings its own shopper."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.devices: list[Browser] = []

    @property
    def shop(self) -> WooCommerceTwin:
        """The store."""
        return self.world.sandbox.woocommerce

    def leave(self, email: str, *lines: tuple[str, int], customer_id: int = 0, coupon: str = "") -> str:
        """Somebody fills a cart, opens the checkout, types, and goes; the session's key."""
        key = self.shop.start_cart(lines or [("HUILE-500", 2), ("BOUG-LAV", 1)], customer_id)
        self.shop.store.sessions[key].coupons = [coupon] if coupon else []
        self.shop.open_page(key)
        self.shop.type_into(key, email, PHONE, f"Léa {FAMILY}", "FR")
        self.world.settle()
        return key

    def wait(self) -> None:
        """The time after which a cart counts as abandoned."""
        self.world.advance(self.world.now() + WAIT)

    def mails(self, email: str) -> list[CaughtMail]:
        """What arrived for this address."""
        return self.world.sandbox.mail.messages(to=email)

    def return_by_mail(self, email: str) -> tuple[Browser, Page]:
        """The link of the one mail is opened on a device that has never been here."""
        self.wait()
        (mail,) = self.mails(email)
        device = self.world.sandbox.browser()
        self.devices.append(device)
        return device, device.open_mail_link(mail, "Finaliser" if "Finaliser" in mail.html else "Complete order")

    def buy(self, device: Browser, page: Page, email: str) -> Order:
        """Place the order from where the link led; the store's newest order."""
        if "Proceed to checkout" in page.text:
            page = device.click(page, "Proceed to checkout")
        assert "received" in device.submit(page, email=email).text
        self.world.settle()
        return list(self.shop.store.orders.values())[-1]

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """What our rows say."""
        with self.world.app.db.system_transaction("look at a flow's rows") as session:
            return [tuple(row) for row in session.execute(text(statement), values)]

    def checkout(self, token: str) -> Any:
        """Our row of one of the plugin's carts: e-mail, whether it was abandoned, bought, deleted."""
        found = self.rows(
            "select email, abandoned_at is not null, converted_at is not null, deleted_at is not null"
            " from checkouts where platform_id = :token",
            token=token,
        )
        return found[0] if found else None


@pytest.fixture(scope="module")
def running(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The app, installed on the store by its own pages, its automation on."""
    directory = tmp_path_factory.mktemp("carts")
    url = migrate.recreate(database_url, f"woo_carts_{os.getpid()}")
    settings = Settings.model_validate({"database_url": SecretStr(url), "data_dir": directory})
    with open_world(settings, directory) as world:
        world.sandbox.woocommerce.plugin = True
        story = Story(world, say=lambda words: None)
        assert story.install_woocommerce(story.merchant) == 200
        world.settle()
        story._open()
        story.merchant.close()
        yield world


@pytest.fixture
def shopping(running: World) -> Iterator[Shopping]:
    """The store as on its first day, with the plugin on."""
    store = running.sandbox.woocommerce.store
    with store.lock:
        refurnish(store)
        store.plugin.is_active = True
    made = Shopping(running)
    yield made
    for device in made.devices:
        device.close()


def test_the_install_subscribed_to_the_plugins_topic(shopping: Shopping) -> None:
    assert {hook.status for hook in shopping.shop.store.webhooks.values() if hook.topic == TOPIC} == {"active"}


@pytest.mark.spec("SQ-03", "C29")
@pytest.mark.parametrize(("checkout", "version"), CHECKOUTS)
@pytest.mark.parametrize("who", ["guest", "customer"])
def test_the_mails_link_leads_to_the_same_things_and_they_can_be_bought_on_another_device(
    shopping: Shopping, checkout: Any, version: str, who: str
) -> None:
    shopping.shop.store.checkout, shopping.shop.store.version = checkout, version
    email = f"anna-{who}-{checkout}-{version}@example.org"
    customer = shopping.shop.add_customer(Contact(email)) if who == "customer" else 0
    token = shopping.shop.token_of(shopping.leave(email, customer_id=customer))
    device, page = shopping.return_by_mail(email)
    assert urlsplit(page.url).path == "/checkout/"
    assert "500 ml 2 ×" in page.text
    order = shopping.buy(device, page, email)
    assert {(item.reference, item.quantity) for item in order.items} == {("38", 2), ("16", 1)}
    assert (order.status, order.cart_token) == ("processing", token)
    assert shopping.checkout(token) == (email, True, True, False)
    shopping.wait()
    assert len(shopping.mails(email)) == 1


@pytest.mark.spec("SQ-07", "C32")
@pytest.mark.parametrize("how", ["sold out", "deleted", "hidden"])
def test_what_cannot_be_bought_any_more_is_absent_and_the_page_says_so(shopping: Shopping, how: str) -> None:
    email = f"gone-{how.replace(' ', '-')}@example.org"
    shopping.leave(email)
    shopping.wait()
    {
        "sold out": lambda: shopping.shop.set_stock("BOUG-LAV", 0),
        "deleted": lambda: shopping.shop.delete_product("BOUG-LAV"),
        "hidden": lambda: shopping.shop.hide_product("BOUG-LAV"),
    }[how]()
    device, page = shopping.return_by_mail(email)
    assert "Something has changed since your last visit." in page.text
    words = "is sold out." if how == "sold out" else "is not sold any more."
    assert f"Bougie parfumée « Lavande » {words}" in page.text
    assert "Bougie parfumée « Lavande » 1 ×" not in page.text
    order = shopping.buy(device, page, email)
    assert [(item.reference, item.quantity) for item in order.items] == [("38", 2)]


@pytest.mark.spec("SQ-08")
@pytest.mark.parametrize("price", ["17.50", "12.00"])
def test_a_price_that_changed_is_the_current_one_and_the_page_says_so(shopping: Shopping, price: str) -> None:
    email = f"price-{price}@example.org"
    shopping.leave(email, ("HUILE-500", 2))
    shopping.wait()
    shopping.shop.set_price("HUILE-500", price)
    device, page = shopping.return_by_mail(email)
    assert "Something has changed since your last visit." in page.text
    assert f"The price of Huile d’olive AOP - 500 ml has changed from 16.00 to {price} EUR." in page.text
    order = shopping.buy(device, page, email)
    assert [str(item.price) for item in order.items] == [price]


@pytest.mark.spec("C5")
def test_an_emptied_cart_is_neither_mailed_nor_brought_back(shopping: Shopping) -> None:
    stays, goes = "stays@example.org", "goes@example.org"
    shopping.leave(stays)
    key = shopping.leave(goes, ("BOUG-LAV", 1))
    token = shopping.shop.token_of(key)
    shopping.shop.set_quantity(key, "BOUG-LAV", 0)
    shopping.world.settle()
    shopping.wait()
    assert (len(shopping.mails(stays)), len(shopping.mails(goes))) == (1, 0)
    device = shopping.world.sandbox.browser()
    shopping.devices.append(device)
    page = device.open(shopping.shop.restore_url(token))
    assert "Your cart is empty" in page.text
    assert "Bougie" not in page.text


@pytest.mark.spec("C5")
def test_a_cart_that_is_emptied_after_the_mail_went_is_not_brought_back_by_its_link(shopping: Shopping) -> None:
    email = "late@example.org"
    key = shopping.leave(email, ("BOUG-LAV", 1))
    shopping.wait()
    shopping.shop.set_quantity(key, "BOUG-LAV", 0)
    shopping.world.settle()
    _, page = shopping.return_by_mail(email)
    assert "Bougie" not in page.text
    assert [one.cart for one in shopping.shop.store.sessions.values()] == [{}, {}]


def type_as_a_page_does(shopping: Shopping, key: str, email: str) -> None:
    """What the store's own checkout page sends while somebody types an address."""
    sandbox, kind = shopping.world.sandbox, shopping.shop.store.checkout
    origin, cookie = sandbox.browser_map[shopping.shop.origin], {"cookie": f"{SESSION_COOKIE}={key}"}
    transport = Transport({}, None, is_closed_world=True)
    try:
        if kind == "block":
            url, headers = f"{origin}/wp-json/wc/store/v1/cart/update-customer", {**cookie, "nonce": nonce_of(key)}
            body = json.dumps({"billing_address": {"email": email, "country": "FR"}}).encode()
            headers["content-type"] = "application/json"
        else:
            url, headers = f"{origin}/?wc-ajax=update_order_review", {**cookie, "content-type": "application/x-www-form-urlencoded"}
            body = f"security={nonce_of(key)}&post_data=billing_email%3D{email}".encode()
        assert transport.send("test", "type", "POST", url, headers=headers, content=body).status == 200
    finally:
        transport.close()


def measure(shopping: Shopping, checkout: Any, version: str) -> float:
    """Seconds from typing the address to our row, with no order placed."""
    shopping.shop.store.checkout, shopping.shop.store.version = checkout, version
    email = f"typed-{checkout}-{version}@example.org"
    key = shopping.shop.start_cart([("BOUG-LAV", 1)])
    shopping.shop.open_page(key)
    shopping.world.settle()
    began = time.monotonic()
    type_as_a_page_does(shopping, key, email)
    token = shopping.shop.token_of(key)
    while shopping.checkout(token) is None and time.monotonic() - began < 2 * SEEN_WITHIN_SECONDS:
        time.sleep(0.02)
    took = time.monotonic() - began
    assert shopping.checkout(token)[0] == email
    assert not [one for one in shopping.shop.store.orders.values() if one.status != "checkout-draft"]
    print(f"{checkout} {version}: {took:.2f} s from typing to our row")
    return took


@pytest.mark.spec("C18")
@pytest.mark.parametrize("version", ["10.5.0", "11.0.0"])
def test_the_block_checkouts_address_is_a_row_within_five_seconds_without_an_order(shopping: Shopping, version: str) -> None:
    assert measure(shopping, "block", version) <= SEEN_WITHIN_SECONDS


@pytest.mark.spec("C19")
def test_the_classic_checkouts_address_is_a_row_within_five_seconds_without_an_order(shopping: Shopping) -> None:
    assert measure(shopping, "classic", "10.5.0") <= SEEN_WITHIN_SECONDS


@pytest.mark.spec("C30")
def test_variation_and_attributes_come_back_by_the_mail(shopping: Shopping) -> None:
    email = "variation@example.org"
    shopping.leave(email, ("HUILE-500", 1))
    device, page = shopping.return_by_mail(email)
    assert ("500 ml" in page.text, "250 ml" in page.text) == (True, False)
    (item,) = shopping.buy(device, page, email).items
    assert item.variation is not None
    assert (item.variation.id, item.variation.option) == (38, "500 ml")


@pytest.mark.spec("C31")
def test_the_mails_link_adds_to_the_present_cart(shopping: Shopping) -> None:
    email = "adds@example.org"
    shopping.leave(email, ("BOUG-LAV", 1))
    theirs = shopping.shop.start_cart([("SAVON-MRS", 3), ("BOUG-LAV", 2)])
    shopping.wait()
    (mail,) = shopping.mails(email)
    device = shopping.world.sandbox.browser()
    shopping.devices.append(device)
    device.set_cookie(shopping.shop.origin, SESSION_COOKIE, theirs)
    device.open_mail_link(mail, "Finaliser" if "Finaliser" in mail.html else "Complete order")
    assert shopping.shop.store.sessions[theirs].cart == {"19": 3, "16": 2}


@pytest.mark.spec("C33", "SEC-212")
def test_the_mails_link_logs_nobody_in_and_shows_nothing_personal(shopping: Shopping) -> None:
    email = "private@example.org"
    customer = shopping.shop.add_customer(Contact(email, "Léa", FAMILY, PHONE))
    own = shopping.leave(email, customer_id=customer)
    device, page = shopping.return_by_mail(email)
    for words in (email, FAMILY, PHONE):
        assert words not in page.html
        assert words not in device.open(f"{shopping.shop.origin}/checkout/").html
    assert {one.customer_id for key, one in shopping.shop.store.sessions.items() if key != own} == {0}


@pytest.mark.spec("SEC-210", "SEC-213")
def test_neither_our_link_nor_the_stores_opens_with_another_name(shopping: Shopping) -> None:
    email = "forged@example.org"
    token = shopping.shop.token_of(shopping.leave(email))
    shopping.wait()
    (mail,) = shopping.mails(email)
    device = shopping.world.sandbox.browser()
    shopping.devices.append(device)
    statement = "select m.link_token from messages m join checkouts c on c.id = m.checkout_id where c.platform_id = :token"
    ((ours,),) = shopping.rows(statement, token=token)
    assert ours in mail.html
    theirs = shopping.shop.restore_url(token)
    origin = shopping.world.app.origin
    assert device.open(f"{origin}/r/{ours}").status == 200
    for address in (
        f"{origin}/r/{chr(ord(ours[0]) ^ 1)}{ours[1:]}",
        f"{origin}/r/{email}",
        f"{origin}/r/1",
        theirs[:-1] + chr(ord(theirs[-1]) ^ 1),
        theirs.rpartition(".")[0],
        theirs.rpartition(".")[0] + ".",
        theirs.replace(token, email),
    ):
        assert device.open(address).status == 404, address


@pytest.mark.spec("SEC-211")
def test_a_store_without_a_proper_key_takes_no_link_of_a_mail(shopping: Shopping) -> None:
    email = "keyless@example.org"
    shopping.leave(email)
    shopping.wait()
    shopping.shop.store.plugin.link_key = b""
    _, page = shopping.return_by_mail(email)
    assert page.status == 404


def test_a_shopper_who_says_no_thanks_is_forgotten_and_gets_no_mail(shopping: Shopping) -> None:
    email = "nothanks@example.org"
    key = shopping.leave(email)
    token = shopping.shop.token_of(key)
    shopping.shop.watch.opt_out(key)
    shopping.world.settle()
    shopping.wait()
    assert shopping.mails(email) == []
    found = shopping.checkout(token)
    assert found is None or found[3]
