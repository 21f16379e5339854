"""Webhooks that a store lists: those that are gone or switched off are made anew, and what they cannot have told is read."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal

import pytest

from connector.canonical import Resource
from connector.capabilities import Capabilities
from connector.config import Settings
from connector.platforms import Access, Subscriptions, TransientError
from connector.store import installs
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from sync import listening
from sync.services import Services
from tests.conftest import TestShop
from tests.factories import make_order
from tests.sync.listening_kit import Listened, Shop

TOPIC = "orders/create"


class Listing(Listened):
    """A platform whose webhooks are ours to register, shop by shop, and can be listed."""

    def __init__(self) -> None:
        super().__init__()
        self.shop_in_path, self.name = True, "woocommerce"
        self.can = Capabilities(shop_in_path=True, tracks_carts=False, has_product_reads=True, registers_webhooks=True)
        self.own = set(self.topics)
        self.lists = 0

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        if self.error:
            raise self.error
        self.lists += 1
        created, present = self.topics - self.own, self.own & self.topics
        self.own = set(self.topics)
        return Subscriptions(tuple(sorted(present)), tuple(sorted(created)))


@pytest.fixture
def shop(db: Database, vault: Vault, sandbox_settings: Settings, woo_shop: TestShop) -> Shop:
    platform = Listing()
    one = Shop(Services(db, vault, {"woocommerce": platform}, None, sandbox_settings), platform, woo_shop)
    one.begin()
    return one


@pytest.mark.spec("C61")
def test_c61_a_webhook_that_was_switched_off_is_found_mended_caught_up_and_told_within_15_minutes(shop: Shop) -> None:
    shop.platform.own.discard(TOPIC)
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        off_at = app_now(session)
    shop.order("6210")
    shop.later(10.5)
    shop.order("6211")
    shop.listen()

    assert TOPIC in shop.platform.own
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        assert (app_now(session) - off_at).total_seconds() <= 15 * 60
        check = installs.last_webhook_check(session, shop.shop.id)
    assert shop.kept() == ["6210", "6211"], "up to the instant at which it was mended"
    assert shop.reports() == [({"order": 2}, [TOPIC], 0)]
    assert check is not None
    assert check.words == f"Missing or switched off in the store, and made anew: {TOPIC}"
    (told,) = shop.notices()
    assert told[0] == "gap_found"
    assert (told[1] or "").endswith(", 2 orders recovered, 0 messages")
    assert not told[2]

    shop.hear(TOPIC)
    shop.later(10.5)
    shop.listen()
    assert [is_settled for _, _, is_settled in shop.notices()] == [True]


@pytest.mark.spec("C4")
def test_c4_all_webhooks_deleted_in_the_store_are_made_again_and_what_they_missed_is_pulled(shop: Shop) -> None:
    shop.platform.own.clear()
    shop.order("6210")
    shop.later(10.5)
    shop.listen()
    assert shop.platform.own == shop.platform.topics
    assert shop.kept() == ["6210"]


@pytest.mark.spec("C60")
def test_c60_a_single_delivery_that_was_lost_is_found_though_its_topic_is_heard(shop: Shop) -> None:
    shop.told("6210")
    shop.order("6211")
    shop.told("6212")
    shop.later(10.5)
    shop.listen()
    assert (shop.kept(), shop.missed()) == (["6210", "6211", "6212"], {"order": 1})
    assert (shop.reports(), shop.notices()) == ([], []), "one that got lost is counted, and is no outage"


def test_an_older_version_than_the_store_has_is_replaced(shop: Shop) -> None:
    shop.told("6210")
    shop.later(1)
    shop.change(Resource.ORDER, make_order(shop.now(), platform_id="6210", total=Decimal("99.00")))
    shop.told("6211")
    shop.later(10.5)
    shop.listen()
    assert shop.missed() == {"order": 1}
    with shop.services.db.engine.connect() as connection:
        assert connection.exec_driver_sql("select total from orders where platform_id = '6210'").scalar_one() == Decimal("99.00")


@pytest.mark.spec("C60")
def test_c60_what_an_active_webhook_did_not_send_is_found_and_pulled(shop: Shop) -> None:
    shop.told("6209")
    shop.order("6210")
    shop.later(10.5)
    shop.listen()
    assert (shop.kept(), shop.missed(), shop.notices()) == (["6209", "6210"], {"order": 1}, [])


def test_while_all_is_well_each_look_lists_them_once_and_reads_nothing_again(shop: Shop) -> None:
    assert isinstance(shop.platform, Listing)
    before = shop.platform.lists
    for number in range(3):
        shop.told(str(number))
        shop.later(10.5)
        shop.listen()
    assert shop.platform.lists == before + 3
    assert (shop.missed(), shop.reports(), shop.notices()) == ({}, [], [])


def test_a_store_that_cannot_be_asked_is_looked_at_again_with_the_same_changes(shop: Shop) -> None:
    shop.platform.own.discard(TOPIC)
    shop.order("6210")
    shop.later(10.5)
    shop.platform.error = TransientError("no answer", platform="woocommerce", call="webhooks")
    shop.listen()
    assert shop.kept() == []
    shop.platform.error = None
    shop.later(5)
    shop.listen()
    assert shop.kept() == ["6210"]
    assert Resource.ORDER in {kind for kind, _, _ in shop.platform.changing.asked}


def test_a_first_look_right_after_the_install_alarms_nobody(
    db: Database, vault: Vault, sandbox_settings: Settings, woo_shop: TestShop
) -> None:
    platform = Listing()
    platform.own.clear()
    one = Shop(Services(db, vault, {"woocommerce": platform}, None, sandbox_settings), platform, woo_shop)
    one.listen()
    assert platform.own == platform.topics
    assert one.notices() == []


def test_two_who_look_at_once_make_each_webhook_once(shop: Shop) -> None:
    """An install registers webhooks while the first look does: seen on a real store, where each was made twice."""
    platform = shop.platform
    assert isinstance(platform, Listing)
    made: list[str] = []
    looking = threading.Barrier(2, timeout=1)

    def slowly(access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        missing = sorted(platform.topics - platform.own)
        with suppress(threading.BrokenBarrierError):
            looking.wait()
        platform.own |= set(missing)
        made.extend(missing)
        return Subscriptions((), tuple(missing))

    platform.subscribe = slowly  # type: ignore[method-assign]
    platform.own.clear()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: listening.subscribe_shop(shop.services, shop.shop.id), range(2)))
    assert sorted(made) == sorted(platform.topics)
