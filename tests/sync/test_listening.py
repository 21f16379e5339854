"""Silence is found, alarmed, bridged and forgotten again."""

from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from connector.canonical import Resource
from connector.config import Settings
from connector.platforms import AccessLost, NotPermitted, Rejected, ThrottledError, TransientError
from connector.store import installs, shops, topic_health
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from sync import listening
from sync.services import Services
from tests.conftest import TestShop, install
from tests.factories import make_checkout, make_order, make_product
from tests.fakes import FakePlatform
from tests.sync.listening_kit import MARK, Listened, Shop


@pytest.fixture
def shop(db: Database, vault: Vault, sandbox_settings: Settings, shopify_shop: TestShop) -> Shop:
    platform = Listened()
    one = Shop(Services(db, vault, {"shopify": platform}, None, sandbox_settings), platform, shopify_shop)
    one.begin()
    return one


def test_a_topic_that_tells_what_changed_is_heard(shop: Shop) -> None:
    shop.order()
    shop.hear("orders/create")
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (False, False)}
    assert (shop.platform.wished, shop.kept()) == ([], ["6210"]), "that delivery told of another one"


def test_a_silent_topic_is_alarmed_subscribed_for_the_shop_alone_and_what_it_hid_is_read(shop: Shop) -> None:
    shop.order("6210")
    shop.hear("orders/updated")
    shop.later(10.5)
    with capture_logs() as logs:
        shop.listen()
    assert shop.health() == {"orders/create": (True, True)}
    assert shop.platform.wished == [["orders/create"]]
    assert (shop.kept(), shop.wanted()) == (["6210"], [])
    alarms = [(one["topic"], one["log_level"]) for one in logs if one["event"] == "topic.silent"]
    assert alarms == [("orders/create", "error")]
    assert shop.services.metrics.silent_topics.value("shopify", "orders/create") == 1
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        check = installs.last_webhook_check(session, shop.shop.id)
    assert check is not None
    assert (check.is_ready, check.words) == (True, "Not heard, and subscribed for this shop alone: orders/create")


def test_an_order_that_was_edited_right_after_it_came_is_told_by_the_topic_of_its_coming(shop: Shop) -> None:
    placed_at = shop.now()
    shop.hear("orders/create")
    shop.later(8)
    shop.change(Resource.ORDER, make_order(shop.now(), created_at=placed_at))
    shop.hear("orders/updated")
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (False, False)}


def test_the_alarm_rings_once_for_one_silence(shop: Shop) -> None:
    for name in ("1", "2"):
        shop.order(name)
        shop.later(10.5)
        shop.listen()
    assert shop.services.metrics.silent_topics.value("shopify", "orders/create") == 1


def test_a_delivery_has_ten_minutes_before_anybody_misses_it(shop: Shop) -> None:
    shop.order()
    shop.later(9)
    shop.listen()
    shop.later(1)
    shop.hear("orders/create", minutes_ago=10)
    shop.later(5)
    shop.listen()
    assert shop.health() == {"orders/create": (False, False)}


def test_the_fallback_goes_when_the_app_s_own_subscription_is_heard_again(shop: Shop) -> None:
    shop.order("1")
    shop.later(10.5)
    shop.listen()
    shop.later(1)
    shop.order("2")
    shop.hear("orders/create", f"x-shopify-topic: orders/create\n{MARK}\n")
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (True, True)}, "the fallback's own deliveries are no proof"
    shop.hear("orders/create", "x-shopify-topic: orders/create\n")
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (False, False)}
    assert shop.platform.own == set()


def test_what_was_triggered_before_the_silence_was_found_is_no_proof(shop: Shop) -> None:
    shop.order("1")
    shop.later(15)
    shop.listen()
    shop.hear("orders/create", minutes_ago=8)
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (True, True)}


def test_c68_a_subscription_that_the_platform_took_away_is_made_again_and_the_gap_read(shop: Shop) -> None:
    shop.order("1")
    shop.later(10.5)
    shop.listen()
    shop.platform.own.clear()  # after eight failures
    shop.order("2")
    shop.later(10.5)
    shop.listen()
    assert shop.platform.own == {"orders/create"}
    assert shop.kept() == ["1", "2"]


@pytest.mark.spec("C69")
def test_c69_subscriptions_are_checked_at_the_first_look_and_daily_though_nothing_happens(shop: Shop) -> None:
    shop.platform.own = {"orders/updated"}  # a stray one, as from another configuration
    for _ in range(3 * 24):
        shop.later(20)
        shop.listen()
    assert shop.platform.wished == [[]]
    assert shop.platform.own == set()


@pytest.mark.spec("C70")
def test_c70_a_topic_that_needs_an_approval_says_so_and_the_others_are_registered(shop: Shop) -> None:
    shop.platform.refused = {"orders/create": "Shopify has not approved this app for protected customer data"}
    shop.order()
    shop.change(Resource.PRODUCT, make_product(shop.now()))
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (True, False), "products/update": (True, True)}
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        check = installs.last_webhook_check(session, shop.shop.id)
    assert check is not None
    assert not check.is_ready
    assert "has not approved this app for protected customer data" in check.words


def test_a_silent_topic_of_checkouts_is_found_by_what_is_listed(shop: Shop) -> None:
    shop.change(Resource.CHECKOUT, make_checkout(shop.now()))
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"checkouts/update": (True, True)}


@pytest.mark.parametrize("error", [NotPermitted, Rejected])
def test_what_may_not_be_read_is_not_compared_and_holds_nothing_up(shop: Shop, error: type[NotPermitted] | type[Rejected]) -> None:
    shop.platform.changing.errors[Resource.CHECKOUT] = error("no", platform="shopify", call="checkouts")
    shop.order()
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (True, True)}


def test_one_kind_that_is_not_answered_holds_up_no_other_and_is_compared_the_next_time(shop: Shop) -> None:
    shop.change(Resource.PRODUCT, make_product(shop.now()))
    shop.order()
    shop.later(10.5)
    shop.platform.changing.errors[Resource.PRODUCT] = TransientError("no answer", platform="shopify")
    shop.listen()
    assert (shop.health(), shop.marks()[Resource.PRODUCT].error) == ({"orders/create": (True, True)}, "no answer")
    shop.platform.changing.errors.clear()
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (True, True), "products/update": (True, True)}
    assert shop.marks()[Resource.PRODUCT].error is None


def test_a_platform_that_does_not_answer_leaves_the_same_changes_for_the_next_time(shop: Shop) -> None:
    shop.order()
    shop.later(10.5)
    no_answer = TransientError("no answer", platform="shopify")
    shop.platform.changing.errors = dict.fromkeys((Resource.CHECKOUT, Resource.ORDER), no_answer)
    shop.listen()
    assert (shop.health(), listening.ring(shop.services)) == ({}, 1)
    shop.platform.changing.errors.clear()
    shop.listen()
    assert (shop.health(), shop.kept()) == ({"orders/create": (True, True)}, ["6210"])


def test_a_platform_that_asks_us_to_wait_is_left_alone_for_so_long(shop: Shop) -> None:
    shop.later(10.5)
    shop.platform.changing.errors[Resource.CHECKOUT] = ThrottledError("slower", platform="shopify", retry_after=60.0)
    shop.listen()
    shop.listen()
    assert len(shop.platform.changing.asked) == 1


def test_lost_access_is_reported_and_nobody_listens_any_more(shop: Shop) -> None:
    shop.later(10.5)
    shop.platform.changing.errors[Resource.CHECKOUT] = AccessLost("401", platform="shopify")
    shop.listen()
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        assert shops.get_shop(session, shop.shop.id).state == "needs_sign_in"
    asked = len(shop.platform.changing.asked)
    shop.listen()
    assert (len(shop.platform.changing.asked), listening.ring(shop.services)) == (asked, 0)


class TestRinging:
    """Which shops are looked at when."""

    def test_right_after_an_install_only_what_an_earlier_one_left_behind_is_taken_away(
        self, db: Database, vault: Vault, sandbox_settings: Settings
    ) -> None:
        rung: list[tuple[str, int]] = []
        db.on_wake(lambda wake: rung.append((wake.job, wake.shop_id)))
        made = install(db, vault, "shopify", "new.myshopify.com", "New")
        assert rung == [("listen", made.id)]
        platform = Listened()
        platform.own = {"orders/create"}
        listening.listen(Services(db, vault, {"shopify": platform}, None, sandbox_settings), made.id)
        assert (platform.own, platform.changing.asked) == (set(), [])

    def test_every_ten_minutes_and_after_an_install_once_deliveries_had_their_time(self, shop: Shop) -> None:
        rung: list[tuple[str, int]] = []
        shop.services.db.on_wake(lambda wake: rung.append((wake.job, wake.shop_id)))
        assert listening.ring(shop.services) == 1
        assert rung == [("listen", shop.shop.id)]
        shop.listen()
        assert listening.ring(shop.services) == 0
        shop.later(10.1)
        assert listening.ring(shop.services) == 1

    def test_each_look_begins_where_the_last_one_ended(self, shop: Shop) -> None:
        for minutes in (3, 10, 7, 25):
            shop.later(minutes)
            shop.listen()
        spans = [(since, until) for what, since, until in shop.platform.changing.asked if what is Resource.ORDER]
        assert len(spans) >= 3
        assert all(before[1] == after[0] for before, after in pairwise(spans))

    def test_after_days_without_a_look_all_of_them_are_compared(self, shop: Shop) -> None:
        shop.order("6210")
        shop.later(60 * 24 * 9)
        shop.order("6211")
        shop.later(10.5)
        shop.listen()
        assert shop.kept() == ["6210", "6211"]
        assert shop.marks()[Resource.ORDER].good_until == shop.platform.changing.asked[1][2]

    def test_a_platform_that_cannot_be_asked_is_not_listened_to(self, shop: Shop, woo_shop: TestShop) -> None:
        services = Services(
            shop.services.db, shop.services.vault, {"woocommerce": FakePlatform(shop_in_path=True)}, None, shop.services.settings
        )
        shop.later(30)
        listening.listen(services, woo_shop.id)
        assert listening.ring(services) == 0

    def test_an_uninstalled_shop_is_forgotten(self, shop: Shop) -> None:
        shop.order()
        shop.later(10.5)
        shop.listen()
        with shop.services.db.transaction(shop=shop.shop.id) as session:
            assert shops.uninstall(session, shop.shop.id, app_now(session))
        assert (shop.health(), shop.wanted()) == ({}, [])
        shop.later(60)
        shop.listen()
        assert shop.health() == {}


def test_staff_see_how_many_shops_each_topic_is_silent_for(shop: Shop) -> None:
    shop.order()
    shop.later(10.5)
    shop.listen()
    with shop.services.db.system_transaction("test") as session:
        assert topic_health.silent_by_platform(session) == {"shopify": {"orders/create": 1}}
