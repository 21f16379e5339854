"""Install, find, settle, uninstall."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from connector.errors import NotFound, Refused
from connector.platforms import Installation
from connector.rules.abandonment import ActivityClock
from connector.store import shops
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from connector.store.shops import Installed
from connector.store.tables import ShopRow
from tests.conftest import TestShop, profile

DOMAIN = "demo.myshopify.com"
MADE = Installation(DOMAIN, {"access_token": "shpat_1"}, ("read_orders",), ("read_customers",), profile("Démo", "demo.example"))


def save(db: Database, vault: Vault, installation: Installation, number: int) -> Installed:
    """Write an install with fresh key and secret of this number."""
    with db.system_transaction("test") as session:
        return shops.save_install(session, vault, "shopify", installation, fresh_key=f"key-{number}", fresh_secret=f"secret-{number}")


def load(db: Database, shop_id: int) -> ShopRow:
    """The shop as its own transaction sees it."""
    with db.transaction(shop=shop_id) as session:
        return shops.get_shop(session, shop_id)


@pytest.mark.spec("SQ-01")
def test_a_new_shop_comes_with_an_account_and_an_automation_that_is_off(db: Database, vault: Vault) -> None:
    made = save(db, vault, MADE, 1)
    shop = load(db, made.shop_id)

    assert (made.shop_key, made.webhook_secret, made.public_id) == ("key-1", "secret-1", shop.public_id)
    assert (shop.state, shop.name, shop.currency, shop.threshold_minutes) == ("connected", "Démo", "EUR", 60)
    assert (shop.scopes, shop.missing_scopes) == (["read_orders"], ["read_customers"])
    assert shop.hosts == ["demo.example", DOMAIN]
    assert b"shpat" not in (shop.credentials or b"")
    with db.engine.connect() as connection:
        automation = connection.execute(text("select trigger, is_on, activated_at from automations")).one()
        assert tuple(automation) == ("abandoned_checkout", False, None)
        assert connection.execute(text("select count(*) from shop_work")).scalar() == 1
        assert connection.execute(text("select name from accounts where id = :id"), {"id": shop.account_id}).scalar() == "Démo"


def test_a_reinstall_is_the_same_shop_with_its_key_and_secret_and_new_credentials(db: Database, vault: Vault) -> None:
    first = save(db, vault, MADE, 1)
    with db.transaction(shop=first.shop_id) as session:
        assert shops.uninstall(session, first.shop_id, app_now(session))
    again = save(
        db, vault, replace(MADE, credentials={"access_token": "shpat_2"}, profile=profile("Nouveau", "demo.example"), missing_scopes=()), 2
    )

    assert again == replace(first, owner_id=None), "who installs a shop again is not its owner by that"
    shop = load(db, again.shop_id)
    assert (shop.state, shop.name, shop.uninstalled_at, shop.missing_scopes) == ("connected", "Nouveau", None, [])
    assert shops.open_access(vault, shop).credentials == {"access_token": "shpat_2"}
    with db.engine.connect() as connection:
        assert connection.execute(text("select count(*) from automations")).scalar() == 1


def test_a_late_farewell_of_an_earlier_install_changes_nothing(db: Database, vault: Vault) -> None:
    made = save(db, vault, MADE, 1)
    installed_at = load(db, made.shop_id).installed_at
    with db.transaction(shop=made.shop_id) as session:
        assert not shops.uninstall(session, made.shop_id, installed_at - timedelta(seconds=1))
        assert shops.uninstall(session, made.shop_id, installed_at)
        assert not shops.uninstall(session, made.shop_id, installed_at + timedelta(days=1))

    assert load(db, made.shop_id).uninstalled_at == installed_at


def test_an_uninstalled_shop_holds_no_credentials(db: Database, vault: Vault) -> None:
    made = save(db, vault, MADE, 1)
    with db.transaction(shop=made.shop_id) as session:
        shops.uninstall(session, made.shop_id, app_now(session))
    shop = load(db, made.shop_id)

    assert (shop.state, shop.credentials) == ("uninstalled", None)
    with pytest.raises(NotFound, match="must be installed again"):
        shops.open_access(vault, shop)


def test_lost_access_marks_a_connected_shop_only(db: Database, vault: Vault) -> None:
    made = save(db, vault, MADE, 1)
    with db.transaction(shop=made.shop_id) as session:
        shops.mark_access_lost(session, vault, made.shop_id)
    assert load(db, made.shop_id).state == "needs_sign_in"
    with db.transaction(shop=made.shop_id) as session:
        shops.uninstall(session, made.shop_id, app_now(session))
        shops.mark_access_lost(session, vault, made.shop_id)
    assert load(db, made.shop_id).state == "uninstalled"


def test_shops_are_found_by_public_id_or_domain(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    with db.system_transaction("test") as session:
        assert [shop.id for shop in shops.list_shops(session)] == [shopify_shop.id, woo_shop.id]
        assert shops.find_shop(session, "Boutique.TEST").id == woo_shop.id
        assert shops.find_shop(session, shops.get_shop(session, shopify_shop.id).public_id).id == shopify_shop.id
        with pytest.raises(NotFound, match=r"no shop 'nowhere\.example'"):
            shops.find_shop(session, "nowhere.example")
        with pytest.raises(NotFound, match="no shop 999"):
            shops.get_shop(session, 999)


def test_a_shop_sees_only_itself(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        assert [shop.id for shop in shops.list_shops(session)] == [shopify_shop.id]


@pytest.mark.spec("SQ-11")
@pytest.mark.parametrize(("minutes", "allowed"), [(19, False), (20, True), (2880, True), (2881, False)])
def test_the_threshold_is_kept_within_its_bounds_by_us_and_by_the_database(
    db: Database, shopify_shop: TestShop, minutes: int, allowed: bool
) -> None:
    def choose() -> None:
        with db.transaction(shop=shopify_shop.id) as session:
            shops.set_threshold(session, shopify_shop.id, minutes, ActivityClock.ADDITION)

    def force() -> None:
        with db.engine.begin() as connection:
            connection.execute(text("update shops set threshold_minutes = :m where id = :shop"), {"m": minutes, "shop": shopify_shop.id})

    if allowed:
        choose()
        force()
        shop = load(db, shopify_shop.id)
        assert (shop.threshold_minutes, shop.activity_clock) == (minutes, "addition")
    else:
        with pytest.raises(Refused, match="20 minutes and 48 hours"):
            choose()
        with pytest.raises(IntegrityError, match="ck_shops_threshold"):
            force()
        assert load(db, shopify_shop.id).threshold_minutes == 60


def test_the_same_domain_on_two_platforms_is_two_shops(db: Database, vault: Vault) -> None:
    one = save(db, vault, MADE, 1)
    with db.system_transaction("test") as session:
        other = shops.save_install(session, vault, "woocommerce", MADE, fresh_key="key-2", fresh_secret="secret-2")

    assert one.shop_id != other.shop_id
    assert load(db, one.shop_id).account_id != load(db, other.shop_id).account_id
