"""Silence on the pretend Shopify: found by its API, bridged by subscriptions of the shop's own, and nothing ever counts twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.config import Settings
from connector.store import installs
from connector.store.db import Database
from connector.store.sealed import Vault
from sync import listening
from tests.sync.shopify_stage import Stage, shopify_stage

ADDRESS = "https://connector.test/webhooks/shopify"


@pytest.fixture
def stage(tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[Stage]:
    with shopify_stage(tmp_path, db, vault, sandbox_settings) as started:
        started.later(21)
        listening.listen(started.services, started.shop_id)
        yield started


def buy(stage: Stage, email: str) -> str:
    """A shopper buys something; returns the checkout's token."""
    token = stage.twin.start_checkout([(next(iter(stage.twin.shop.products.values())).variants[0].sku, 1)], email=email)
    stage.twin.pay(token)
    stage.settle()
    return token


def look(stage: Stage) -> None:
    """The next look at what was told, once deliveries had their time."""
    stage.later(10.5)
    listening.listen(stage.services, stage.shop_id)


def health(stage: Stage) -> dict[str, tuple[bool, bool]]:
    """By topic: whether it is silent, and whether it is subscribed for the shop alone."""
    rows = stage.rows("select topic, silent_since, fallback_at from topic_health where shop_id = :shop")
    return {row["topic"]: (row["silent_since"] is not None, row["fallback_at"] is not None) for row in rows}


def own(stage: Stage) -> list[tuple[str, str, str | None]]:
    """The shop's own subscriptions as Shopify has them."""
    return sorted((one.topic, one.uri, one.name) for one in stage.twin.shop.subscriptions)


def counts(stage: Stage) -> tuple[int, int, int]:
    """Orders, checkouts that became one, and customers."""
    (row,) = stage.rows("""
        select (select count(*) from orders where shop_id = :shop) orders,
               (select count(*) from checkouts where shop_id = :shop and stage = 'checkout' and converted_order_id is not null) converted,
               (select count(*) from customers where shop_id = :shop) customers
    """)
    return row["orders"], row["converted"], row["customers"]


def test_while_everything_is_told_nothing_is_subscribed(stage: Stage) -> None:
    buy(stage, "anna@example.org")
    look(stage)
    assert own(stage) == []
    assert not any(silent for silent, _ in health(stage).values())


@pytest.mark.spec("C69")
def test_c69_a_topic_that_is_not_delivered_is_found_and_bridged_until_it_speaks_again(stage: Stage) -> None:
    stage.twin.silence("orders/create")
    buy(stage, "anna@example.org")
    assert counts(stage)[0] == 1, "orders/paid tells of it as well"
    look(stage)
    assert health(stage)["orders/create"] == (True, True)
    assert own(stage) == [("ORDERS_CREATE", ADDRESS, "connector-fallback")]

    stage.later(1)
    buy(stage, "ben@example.org")
    names = [one.headers.get("X-Shopify-Name") for one in stage.twin.deliveries.deliveries("orders/create")]
    assert names == ["connector-fallback"], "it comes by the shop's own subscription only"
    look(stage)
    assert health(stage)["orders/create"] == (True, True)

    stage.twin.speak("orders/create")
    stage.later(1)
    buy(stage, "cleo@example.org")
    look(stage)
    assert health(stage)["orders/create"] == (False, False)
    assert own(stage) == []


@pytest.mark.spec("C69")
def test_c69_both_subscriptions_at_once_never_act_twice(stage: Stage) -> None:
    stage.twin.silence("orders/create")
    stage.twin.silence("checkouts/create")
    buy(stage, "anna@example.org")
    look(stage)
    stage.twin.speak("orders/create")
    stage.twin.speak("checkouts/create")
    stage.later(1)
    before = counts(stage)
    token = buy(stage, "ben@example.org")
    assert len(stage.twin.deliveries.deliveries("orders/create")) == 2, "once for the app, once for the shop"
    assert [now - then for now, then in zip(counts(stage), before, strict=True)] == [1, 1, 1]
    assert len(stage.rows("select 1 from checkouts where shop_id = :shop and token = :token", token=token)) == 1
    states = stage.rows("select distinct state from deliveries where shop_id = :shop")
    assert states == [{"state": "applied"}]


@pytest.mark.spec("C68")
def test_c68_a_subscription_that_shopify_removed_after_failures_is_made_again_and_the_gap_imported(stage: Stage) -> None:
    for topic in ("orders/create", "orders/updated", "orders/paid"):
        stage.twin.silence(topic)
    buy(stage, "anna@example.org")
    look(stage)
    (one,) = stage.twin.shop.subscriptions
    with stage.twin.shop.lock:
        for _ in range(8):
            stage.twin.shop.subscriptions.failed(one.id)
    assert own(stage) == []
    stage.later(1)
    buy(stage, "ben@example.org")
    assert counts(stage)[0] == 1, "nothing told of the second one"
    look(stage)
    assert own(stage) == [("ORDERS_CREATE", ADDRESS, "connector-fallback")]
    assert counts(stage)[:2] == (2, 2), "what was missed is there"


@pytest.mark.spec("C70")
def test_c70_without_approval_for_customer_data_the_reason_is_said_and_the_others_are_registered(stage: Stage) -> None:
    stage.twin.silence("orders/create")
    stage.twin.silence("checkouts/create")
    stage.twin.shop.subscriptions.unapproved = {"orders/create"}
    buy(stage, "anna@example.org")
    sku = next(iter(stage.twin.shop.products.values())).variants[0].sku
    stage.twin.start_checkout([(sku, 1)], email="left@example.org")
    stage.settle()
    stage.later(15)
    look(stage)
    assert health(stage)["orders/create"] == (True, False)
    assert [topic for topic, _, _ in own(stage)] == ["CHECKOUTS_CREATE"]
    with stage.services.db.transaction(shop=stage.shop_id) as session:
        check = installs.last_webhook_check(session, stage.shop_id)
    assert check is not None
    assert not check.is_ready
    assert "orders/create" in check.words
    assert "request access in the Partner Dashboard" in check.words


def test_stray_subscriptions_at_our_address_go_and_foreign_ones_stay(stage: Stage) -> None:
    with stage.twin.shop.lock:
        for topic, uri, name in (
            ("ORDERS_CREATE", ADDRESS, None),
            ("ORDERS_PAID", ADDRESS, "connector-fallback"),
            ("ORDERS_CREATE", "https://other.example/hooks", None),
        ):
            stage.twin.shop.subscriptions.create(topic, {"uri": uri, "name": name}, ("read_orders",))
    made = listening.subscribe_shop(stage.services, stage.shop_id)
    assert (made.removed, made.created) == (("orders/create", "orders/paid"), ())
    assert own(stage) == [("ORDERS_CREATE", "https://other.example/hooks", None)]


def test_a_reinstall_begins_without_fallbacks(stage: Stage) -> None:
    stage.twin.silence("orders/create")
    buy(stage, "anna@example.org")
    look(stage)
    stage.twin.uninstall()
    stage.settle()
    assert own(stage) == []
    assert health(stage) == {}
    stage.twin.speak("orders/create")
    stage.later(1)
    stage.install()
    listening.listen(stage.services, stage.shop_id)
    stage.later(1)
    buy(stage, "ben@example.org")
    stage.later(10)
    look(stage)
    assert (own(stage), health(stage)["orders/create"]) == ([], (False, False))
