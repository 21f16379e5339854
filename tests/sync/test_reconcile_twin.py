"""Outages of webhooks on both pretend stores: everything is there after one reconcile, it is reported, and nobody gets a message."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.canonical import Resource
from connector.config import Settings
from connector.store import sync_marks
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.sync.outage import Outage, outage

ORDERS, CARTS = 200, 50


@pytest.fixture(params=["shopify", "woocommerce"])
def cut(request: pytest.FixtureRequest, tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[Outage]:
    with outage(request.param, tmp_path, db, vault, sandbox_settings) as made:
        yield made


@pytest.mark.spec("NH-10")
def test_nh10_two_hours_without_webhooks_are_recovered_by_one_reconcile_with_one_report_and_no_message(cut: Outage) -> None:
    known = [cut.store.start_cart(f"left{n}@example.org") for n in range(CARTS)]
    cut.settle()
    began = cut.now()
    cut.store.cut()
    for n in range(ORDERS):
        cut.later(120 / ORDERS)
        cut.store.order(f"buyer{n}@example.org")
        if n < CARTS:
            cut.store.change_cart(known[n])
    cut.settle()
    assert cut.count("orders") == 0, "nothing told of them"

    cut.look()

    assert cut.differing() == []
    (report,) = cut.reports()
    assert began <= report["since"] < began + timedelta(minutes=5)
    assert began + timedelta(hours=1, minutes=50) < report["until"] <= cut.now()
    assert (report["recovered"]["order"], report["recovered"]["checkout"], report["messages"]) == (ORDERS, CARTS, 0)
    ((words, _),) = cut.notices()
    assert f"{ORDERS} orders, {CARTS} checkouts" in words
    assert words.endswith("0 messages")

    cut.work(days=3)
    assert (cut.sender.handed, cut.count("messages")) == ([], 0)
    for _ in range(2):
        cut.later(10.5)
        cut.look()
    assert [row["messages"] for row in cut.reports()] == [0], "one report, and still no message"
    assert [is_settled for _, is_settled in cut.notices()] == [True]


def test_who_comes_back_after_an_outage_is_reminded_as_always(cut: Outage) -> None:
    """Whatever a sync told begins nothing; what the store itself tells then does."""
    cart = cut.store.start_cart("left@example.org")
    cut.settle()
    cut.store.cut()
    cut.later(30)
    cut.store.change_cart(cart)
    cut.look()
    cut.store.mend()
    cut.later(30)
    cut.store.change_cart(cart, quantity=5)
    cut.settle()
    cut.work(days=1)
    assert [message.to for message in cut.sender.handed] == ["left@example.org"]


@pytest.mark.spec("RL-111")
def test_rl111_what_a_store_dropped_and_then_its_subscription_are_found_by_one_cycle(cut: Outage) -> None:
    cut.drop(0.1)
    for n in range(20):
        cut.later(2)
        cut.store.order(f"buyer{n}@example.org")
        cut.settle()
        if n == 10:
            cut.look()
    assert cut.dropped() > 0
    dropped = 20 - cut.count("orders")
    cut.store.cut()
    cut.later(5)
    cut.store.order("last@example.org")
    cut.later(10.5)
    cut.look()

    assert cut.differing() == []
    again = cut.store.subscribed() & {"orders/create", "order.created"}
    assert len(again) == 1, "it is made anew"
    with cut.services.db.transaction(shop=cut.shop_id) as session:
        missed = sync_marks.load_marks(session, cut.shop_id)[Resource.ORDER].missed
    assert missed >= max(dropped, 1)
    page = cut.page()
    assert "made anew" in page or "subscribed for this shop alone" in page
    (report,) = cut.reports()
    assert again <= set(report["topics"])
    assert f"Orders: {report['recovered']['order']}" in page


def test_while_everything_is_told_nothing_counts_as_missed(cut: Outage) -> None:
    for n in range(4):
        number = cut.store.order(f"buyer{n}@example.org")
        cart = cut.store.start_cart(f"left{n}@example.org")
        cut.settle()
        cut.later(3)
        cut.store.change_cart(cart)
        cut.store.edit_order(number)
        cut.store.edit_all()
        cut.settle()
        cut.later(10.5)
        cut.look()
    cut.later(24 * 60)
    cut.look()
    with cut.services.db.transaction(shop=cut.shop_id) as session:
        marks = sync_marks.load_marks(session, cut.shop_id)
    assert {kind.value: row.missed for kind, row in marks.items() if row.missed} == {}
    assert cut.rows("select topic from topic_health where silent_since is not null") == []
    assert (cut.differing(), cut.reports(), cut.notices()) == ([], [], [])


def test_what_was_edited_without_webhooks_is_seen_though_no_list_says_that_it_was(cut: Outage) -> None:
    """WooCommerce lists customers and amounts of coupons by no time of change."""
    cut.store.edit_all()
    cut.settle()
    cut.later(10.5)
    cut.look()
    cut.store.cut()
    cut.later(5)
    cut.store.edit_all()
    cut.settle()
    cut.later(10.5)
    cut.look()
    assert cut.differing() == []


@pytest.mark.spec("C86")
def test_c86_an_edit_of_an_old_order_that_nothing_told_of_is_seen(cut: Outage) -> None:
    number = cut.store.order("anna@example.org")
    cut.settle()
    assert cut.rows("select cancelled_at from orders") == [(None,)]
    cut.later(40 * 24 * 60)
    cut.look()
    cut.store.cut()
    cut.store.edit_order(number)
    cut.settle()
    cut.later(10.5)
    cut.look()
    assert cut.differing() == []
    ((cancelled_at,),) = cut.rows("select cancelled_at from orders")
    assert cancelled_at is not None


def test_an_order_that_was_deleted_for_good_goes_by_the_daily_walk_after_it_was_asked_for(cut: Outage) -> None:
    kept, gone = cut.store.order("anna@example.org"), cut.store.order("ben@example.org")
    cut.settle()
    cut.store.delete_order(gone)
    cut.later(10.5)
    cut.look()
    assert {row[0] for row in cut.rows("select platform_id from orders where deleted_at is null")} == {str(kept), str(gone)}
    cut.later(24 * 60)
    cut.look()
    assert cut.rows("select platform_id from orders where deleted_at is null") == [(str(kept),)]


def test_an_order_that_the_store_merely_does_not_show_any_more_stays(cut: Outage) -> None:
    """Shopify shows an app without the scope for all orders those of sixty days."""
    number = cut.store.order("anna@example.org")
    cut.settle()
    cut.later(61 * 24 * 60)
    cut.look()
    cut.settle()
    assert cut.rows("select platform_id, deleted_at from orders") == [(str(number), None)]
