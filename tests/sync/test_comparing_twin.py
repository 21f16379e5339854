"""What webhooks told and what the API of the same store tells then is the same, for everything that a shop goes through."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from connector.config import Settings
from connector.rules.syncing import RunKind, Scope
from connector.store import sync_runs
from connector.store.audit import Actor
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.sandbox.shopify_shop import Address, Shopper
from integrations.sandbox.woocommerce_store import Contact
from sync import engine
from sync.reconcile import KINDS
from tests.sync.outage import Outage, ShopifyStore, WooStore, outage


@pytest.fixture
def shopify(tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[Outage]:
    """A connected shop of the pretend Shopify."""
    with outage("shopify", tmp_path, db, vault, sandbox_settings) as made:
        yield made


@pytest.fixture
def woocommerce(tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[Outage]:
    """The same of the pretend WooCommerce, with the plugin."""
    with outage("woocommerce", tmp_path, db, vault, sandbox_settings) as made:
        yield made


def check(cut: Outage, orders: int) -> None:
    """All that webhooks told has come; what the API tells is no other, and nothing was read before that could have mended it."""
    cut.settle()
    assert cut.count("orders") == orders
    assert cut.differing() == []


def resync(cut: Outage) -> None:
    """Everything is read, compared and written."""
    with cut.services.db.transaction(shop=cut.shop_id) as session:
        sync_runs.begin(session, cut.shop_id, RunKind.RESYNC, Scope(KINDS), actor=Actor("staff stf_anna"), reason="a test")
    while cut.rows("select 1 from sync_runs where finished_at is null"):
        engine.work(cut.services, cut.shop_id)
        cut.later(0.3)


def test_on_shopify_webhooks_and_the_api_tell_the_same(shopify: Outage) -> None:
    assert isinstance(shopify.store, ShopifyStore)
    twin = shopify.store.twin
    sku = next(iter(twin.shop.products.values())).variants[0].sku
    anna = Shopper("Anna.Petit@example.org", "Anna", "Petit", "+33645678901", Address("Anna", "Petit", phone="06 45 67 89 01"))
    twin.make_discount("MERCI", 10)

    def checkout(shopper: Shopper | None = anna, **typed: str) -> str:
        shopify.later(3)
        return twin.start_checkout([(sku, 2)], customer=shopper, accepts_marketing=shopper is anna, **typed)

    zoe = replace(anna, email="zoe@example.org", first_name="Zoe")
    left = checkout(zoe)
    twin.apply_code(left, "MERCI")
    paid = twin.pay(checkout(), code="MERCI")
    guest = twin.pay(checkout(None, email="guest@example.org", phone="+33612345678"))
    waiting, late = (twin.pay_by_bank_transfer(checkout(replace(anna, email=f"{n}@example.org"))) for n in "ab")
    tried = twin.pay_test(checkout())
    shopify.settle()
    # The one thing that no webhook tells of a customer; and what does not tell it takes it back from nobody.
    assert {one.split(" ", 2)[2] for one in shopify.differing()} == {"{'language': (None, 'en')}"}
    resync(shopify)
    check(shopify, 5)

    shopify.later(5)
    twin.mark_paid(late)
    twin.refund(paid, Decimal(1))
    twin.refund(guest)
    twin.cancel_order(waiting)
    twin.dispute_order(tried)
    twin.set_price(sku, "19.99")
    twin.change_quantity(left, sku, 5)
    first = min(twin.shop.customers)
    twin.set_email_consent(first, "unsubscribed")
    twin.set_sms_consent(first, "subscribed")
    shopify.later(1)
    twin.edit_customer(first, replace(zoe, first_name="Zoé", phone="", address=Address("Zoé", "Petit")))
    check(shopify, 5)


def test_a_dispute_whose_end_was_not_told_is_read_by_the_next_look(shopify: Outage) -> None:
    """The order says nothing of when its dispute ended: it is as new as the reading."""
    assert isinstance(shopify.store, ShopifyStore)
    number = shopify.store.order("anna@example.org")
    shopify.settle()
    shopify.later(2)
    shopify.store.twin.dispute_order(number)
    shopify.settle()
    assert shopify.rows("select is_disputed from orders") == [(True,)]
    shopify.later(2)
    shopify.store.twin.silence("disputes/update")
    shopify.store.twin.win_dispute(number)
    shopify.later(10.5)
    shopify.look()
    shopify.later(24 * 60)
    shopify.look()
    assert shopify.differing() == []
    assert shopify.rows("select is_disputed from orders") == [(False,)]


def test_on_woocommerce_webhooks_and_the_api_tell_the_same(woocommerce: Outage) -> None:
    assert isinstance(woocommerce.store, WooStore)
    twin = woocommerce.store.twin
    sku = next(iter(twin.store.products.values())).sku
    twin.coupons.make("merci", amount="10")
    anna = twin.add_customer(Contact("Anna.Petit@example.org", "Anna", "Petit", "06 45 67 89 01"))

    def cart(email: str, phone: str = "", name: str = "Ben Roy") -> str:
        woocommerce.later(3)
        session = twin.start_cart([(sku, 2)])
        twin.open_page(session)
        twin.type_into(session, email, phone, name)
        return session

    left = cart("left@example.org", "06 12 34 56 78")
    twin.apply_code(left, "merci")
    ways = ("card", "bacs", "cod", "offsite", "declined")
    bought = [twin.buy(cart(f"{way}@example.org", "+33612345678"), way).id for way in ways]
    coded = cart("coded@example.org")
    twin.apply_code(coded, "MERCI")
    account = twin.buy(coded, makes_account=True).id
    typed = twin.make_order([(sku, 3)], Contact("Anna.Petit@example.org", "Anna", "Petit"), customer_id=anna)
    check(woocommerce, 5)

    woocommerce.later(5)
    twin.refund(bought[0], Decimal(1))
    twin.reinstate_order(bought[1])
    twin.set_status(bought[2], "completed")
    twin.place_order(bought[3])
    twin.refund(account)
    twin.cancel_order(typed)
    twin.set_price(sku, "19.99")
    twin.set_quantity(left, sku, 5)
    twin.edit_customer(anna, first_name="Ana", phone="")
    check(woocommerce, 6)
