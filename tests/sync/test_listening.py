"""Silence is found, alarmed, bridged and forgotten again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from connector.canonical import Order, Product, Resource
from connector.capabilities import Capabilities
from connector.config import Settings
from connector.platforms import Access, AccessLost, NotPermitted, Rejected, Subscriptions, ThrottledError, TransientError
from connector.reading import Change, Page
from connector.store import clock, installs, shops, topic_health
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from sync import listening
from sync.services import Services
from tests.conftest import TestShop, install
from tests.factories import make_checkout, make_order, make_product
from tests.fakes import FakePlatform
from tests.sync.world import Arrival, keep

MARK = "x-shopify-name: connector-fallback"
ORDER_TOPICS = frozenset({"orders/create", "orders/updated", "products/update", "checkouts/update"})


@dataclass
class ChangingReads:
    """What changed, by kind; `errors` are raised for a kind. What a change must have told depends on the kind of it."""

    changed: dict[Resource, list[Change]] = field(default_factory=dict)
    errors: dict[Resource, Exception] = field(default_factory=dict)
    asked: list[tuple[Resource, datetime | None, datetime | None]] = field(default_factory=list)

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        self.asked.append((what, since, until))
        if what in self.errors:
            raise self.errors[what]
        assert since is not None
        assert until is not None
        found = [one for one in self.changed.get(what, []) if since <= one.source_version < until]
        start = int(cursor or 0)
        return Page(tuple(found[start : start + 2]), str(start + 2) if len(found) > start + 2 else None)

    def told_by(self, change: Change, since: datetime) -> frozenset[str]:
        if isinstance(change, Order):
            return frozenset({"orders/create"}) if change.created_at >= since else frozenset({"orders/updated"})
        return frozenset({"products/update"}) if isinstance(change, Product) else frozenset({"checkouts/update"})


class Listened(FakePlatform):
    """A platform that can be asked, and whose own subscriptions are noted."""

    topics = ORDER_TOPICS

    def __init__(self) -> None:
        super().__init__()
        self.changing = ChangingReads()
        self.reads = self.changing  # type: ignore[assignment] # of Reads, what listening asks
        self.can = Capabilities(False, False, True, False, fallback_mark=MARK)
        self.own: set[str] = set()
        self.wished: list[Sequence[str]] = []
        self.refused: dict[str, str] = {}

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        self._call(f"subscribe {address}")
        self.wished.append(sorted(silent))
        wanted = set(silent) - self.refused.keys()
        created, removed, present = wanted - self.own, self.own - wanted, wanted & self.own
        self.own = wanted
        refused = tuple((topic, words) for topic, words in self.refused.items() if topic in silent)
        return Subscriptions(tuple(sorted(present)), tuple(sorted(created)), tuple(sorted(removed)), refused)


@dataclass
class Shop:
    """A shop that is listened to, its first look long done."""

    services: Services
    platform: Listened
    shop: TestShop

    def now(self) -> datetime:
        with self.services.db.transaction(shop=self.shop.id) as session:
            return app_now(session)

    def later(self, minutes: float = 10) -> None:
        with self.services.db.system_transaction("time goes by") as session:
            clock.step_to(session, clock.read(session) + timedelta(minutes=minutes))

    def change(self, what: Resource, *changes: Change) -> None:
        self.platform.changing.changed.setdefault(what, []).extend(changes)

    def order(self, name: str = "6210") -> None:
        """An order is placed now."""
        self.change(Resource.ORDER, make_order(self.now(), platform_id=name))

    def hear(self, topic: str, headers: str = "", minutes_ago: float = 0) -> None:
        """A delivery comes in now, triggered some time ago."""
        (delivery,) = keep(self.services.db, self.shop, [Arrival(topic, b"{}", self.now() - timedelta(minutes=minutes_ago))])
        with self.services.db.engine.begin() as connection:
            connection.execute(text("update delivery_bodies set headers = :h where delivery_id = :d"), {"h": headers, "d": delivery})

    def listen(self) -> None:
        listening.listen(self.services, self.shop.id)

    def health(self) -> dict[str, tuple[bool, bool]]:
        """By topic: whether it is silent, and whether it is subscribed for the shop alone."""
        with self.services.db.transaction(shop=self.shop.id) as session:
            rows = topic_health.list_health(session, self.shop.id)
        return {row.topic: (row.silent_since is not None, row.fallback_at is not None) for row in rows}

    def wanted(self) -> list[tuple[str, str]]:
        """What is to be read again."""
        with self.services.db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text("select resource, platform_id from wanted_reads order by 1, 2"))]


@pytest.fixture
def shop(db: Database, vault: Vault, sandbox_settings: Settings, shopify_shop: TestShop) -> Shop:
    platform = Listened()
    one = Shop(Services(db, vault, {"shopify": platform}, None, sandbox_settings), platform, shopify_shop)
    one.later(20)
    one.listen()
    one.later(10)
    platform.changing.asked.clear()
    platform.wished.clear()
    return one


def test_a_topic_that_tells_what_changed_is_heard(shop: Shop) -> None:
    shop.order()
    shop.hear("orders/create")
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (False, False)}
    assert (shop.platform.wished, shop.wanted()) == ([], [])


def test_a_silent_topic_is_alarmed_subscribed_for_the_shop_alone_and_what_it_hid_is_read(shop: Shop) -> None:
    shop.order("6210")
    shop.hear("orders/updated")
    shop.later(10.5)
    with capture_logs() as logs:
        shop.listen()
    assert shop.health() == {"orders/create": (True, True)}
    assert shop.platform.wished == [["orders/create"]]
    assert shop.wanted() == [("order", "6210")]
    alarms = [(one["topic"], one["log_level"]) for one in logs if one["event"] == "topic.silent"]
    assert alarms == [("orders/create", "error")]
    assert shop.services.metrics.silent_topics.value("shopify", "orders/create") == 1
    with shop.services.db.transaction(shop=shop.shop.id) as session:
        check = installs.last_webhook_check(session, shop.shop.id)
    assert check is not None
    assert (check.is_ready, check.words) == (True, "Not heard, and subscribed for this shop alone: orders/create")


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
    assert shop.wanted() == [("order", "1"), ("order", "2")]


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


def test_a_checkout_is_compared_but_not_read_since_it_cannot_be(shop: Shop) -> None:
    shop.change(Resource.CHECKOUT, make_checkout(shop.now()))
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"checkouts/update": (True, True)}
    assert shop.wanted() == []


def test_of_many_changes_a_sample_is_looked_at(shop: Shop) -> None:
    shop.change(Resource.ORDER, *(make_order(shop.now() + timedelta(seconds=n), platform_id=str(n)) for n in range(9)))
    shop.later(10.5)
    shop.listen()
    assert [what for what, _, _ in shop.platform.changing.asked].count(Resource.ORDER) == listening.FULL_PAGES


@pytest.mark.parametrize("error", [NotPermitted, Rejected])
def test_what_may_not_be_read_is_not_compared_and_holds_nothing_up(shop: Shop, error: type[NotPermitted] | type[Rejected]) -> None:
    shop.platform.changing.errors[Resource.CHECKOUT] = error("no", platform="shopify", call="checkouts")
    shop.order()
    shop.later(10.5)
    shop.listen()
    assert shop.health() == {"orders/create": (True, True)}


def test_a_platform_that_does_not_answer_leaves_the_same_changes_for_the_next_time(shop: Shop) -> None:
    shop.order()
    shop.later(10.5)
    shop.platform.changing.errors[Resource.PRODUCT] = TransientError("no answer", platform="shopify")
    shop.listen()
    assert shop.health() == {}
    shop.platform.changing.errors.clear()
    shop.listen()
    assert shop.health() == {"orders/create": (True, True)}


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

    def test_nobody_goes_back_further_than_a_day(self, shop: Shop) -> None:
        shop.later(60 * 24 * 9)
        shop.listen()
        since, until = shop.platform.changing.asked[0][1:]
        assert since is not None
        assert until is not None
        assert until - since == listening.LONGEST - listening.GRACE

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
