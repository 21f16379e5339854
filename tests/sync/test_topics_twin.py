"""Each kind of news on the pretend Shopify: said by its webhook, looked up by its API, and seen in our rows."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connector.config import Settings
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.sandbox.shopify_shop import Address, Shopper
from sync import listening, products, rereads
from sync.news import STOCK_DELAY_SECONDS
from tests.sync.shopify_stage import SCOPES, Stage, shopify_stage

MARY = Shopper("mary@example.com", "Mary", "Moss", "+12075550100", Address("Mary", "Moss", phone="207 555 0101"))
NORA = Shopper("nora@example.com", "Nora", "New", "+12075550111", Address("Nora", "New"))


@pytest.fixture
def stage(tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[Stage]:
    with shopify_stage(tmp_path, db, vault, sandbox_settings) as started:
        yield started


def hear(stage: Stage) -> None:
    """All that was said arrives, and what it does not say is read."""
    stage.settle()
    while rereads.reread(stage.services, stage.shop_id):
        pass
    assert stage.rows("select 1 from wanted_reads where shop_id = :shop and due_at <= app_now()") == []


def one(stage: Stage, statement: str) -> Mapping[str, Any]:
    """The only row."""
    (row,) = stage.rows(statement)
    return row


def customer_of(stage: Stage, shopper: Shopper) -> int:
    """A customer with an order."""
    stage.twin.pay(stage.twin.start_checkout([("CEDAR-S", 1)], customer=shopper))
    return next(one.id for one in stage.twin.shop.customers.values() if one.shopper == shopper)


def known_product(stage: Stage) -> int:
    """A product that a line named, and that was read therefore."""
    stage.twin.start_checkout([("CEDAR-S", 1)], email="anna@example.org")
    stage.settle()
    assert products.read_missing(stage.services, stage.shop_id) == 1
    return int(one(stage, "select platform_id from products where shop_id = :shop")["platform_id"])


def test_consents_of_all_channels_arrive(stage: Stage) -> None:
    mary = customer_of(stage, MARY)
    stage.twin.set_email_consent(mary, "unsubscribed")
    stage.twin.set_sms_consent(mary, "subscribed")
    stage.twin.set_whatsapp_consent(mary, "subscribed")
    hear(stage)

    rows = stage.rows("select channel, address, state from consents where shop_id = :shop order by channel")
    assert [tuple(row.values()) for row in rows] == [
        ("email", "mary@example.com", "unsubscribed"),
        ("sms", "+12075550100", "subscribed"),
        ("whatsapp", "+12075550100", "subscribed"),
    ]


def test_a_merged_customers_orders_are_the_kept_ones_and_consent_is_read_anew(stage: Stage) -> None:
    mary, nora = customer_of(stage, MARY), customer_of(stage, NORA)
    hear(stage)
    stage.twin.merge_customers(nora, mary)
    hear(stage)

    names = stage.rows("select distinct customer_platform_id who from orders where shop_id = :shop")
    assert [row["who"] for row in names] == [str(nora)]
    gone = stage.rows("select platform_id from customers where shop_id = :shop and deleted_at is not null")
    assert [row["platform_id"] for row in gone] == [str(mary)]
    assert stage.rows("select reason from wanted_reads where shop_id = :shop") == []


def test_a_product_is_as_the_store_has_it_now(stage: Stage) -> None:
    product = known_product(stage)
    stage.twin.edit_product(product, title="Cèdre d’hiver")
    hear(stage)
    assert one(stage, "select title from products where shop_id = :shop")["title"] == "Cèdre d’hiver"

    stage.twin.set_price("CEDAR-S", "21.50")
    hear(stage)
    prices = stage.rows("select price from product_variants where sku = 'CEDAR-S'")
    assert [str(row["price"]) for row in prices] == ["21.50"]

    stage.twin.set_stock("CEDAR-S", 0)
    hear(stage)
    stage.later(STOCK_DELAY_SECONDS / 60 + 1)
    hear(stage)
    assert one(stage, "select is_available from product_variants where sku = 'CEDAR-S'")["is_available"] is False

    stage.twin.set_stock("CEDAR-S", 5)
    hear(stage)
    stage.later(STOCK_DELAY_SECONDS / 60 + 1)
    hear(stage)
    assert one(stage, "select is_available from product_variants where sku = 'CEDAR-S'")["is_available"] is True

    stage.twin.delete_product(product)
    hear(stage)
    assert one(stage, "select is_deleted from products where shop_id = :shop")["is_deleted"] is True


def test_a_discount_is_known_by_its_code_until_it_is_deleted(stage: Stage) -> None:
    number = stage.twin.make_discount("MERCI10")
    hear(stage)
    kept = one(stage, "select platform_id, code, status, deleted_at from discount_codes where shop_id = :shop")
    assert (kept["platform_id"], kept["code"], kept["status"], kept["deleted_at"]) == (str(number), "MERCI10", "active", None)

    stage.twin.delete_discount(number)
    hear(stage)
    assert one(stage, "select deleted_at from discount_codes where shop_id = :shop")["deleted_at"] is not None


def test_the_shop_and_its_permissions_are_as_they_are_now(stage: Stage) -> None:
    stage.twin.update_shop(name="Atelier d’hiver")
    hear(stage)
    stage.twin.change_scopes([scope for scope in SCOPES if scope != "read_customers"])
    hear(stage)

    row = one(stage, "select name, missing_scopes from shops where id = :shop")
    assert (row["name"], row["missing_scopes"]) == ("Atelier d’hiver", ["read_customers"])


def listen(stage: Stage) -> list[str]:
    """The next look at what changed; what is withheld by then."""
    stage.settle()
    stage.later(21)
    listening.listen(stage.services, stage.shop_id)
    entries: list[str] = one(stage, "select withheld from shops where id = :shop")["withheld"]
    return entries


def test_what_shopify_keeps_from_us_is_a_state_of_the_shop_until_it_is_given(stage: Stage) -> None:
    listen(stage)
    with stage.twin.shop.lock:
        stage.twin.shop.withheld = {"email", "phone"}
    customer_of(stage, MARY)
    withheld = listen(stage)
    assert {entry.rpartition(".")[2] for entry in withheld} == {"email", "phone"}
    assert {entry.partition(".")[0] for entry in withheld} >= {"order", "customer"}

    with stage.twin.shop.lock:
        stage.twin.shop.withheld = set()
    customer_of(stage, NORA)
    assert listen(stage) == []
