"""What webhooks missed is found, written, counted and reported; an unchanged shop is left as it is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from connector.canonical import Order, Resource
from connector.capabilities import Capabilities
from connector.config import Settings
from connector.platforms import Access, NotPermitted, ShopClosed, TransientError
from connector.reading import Page
from connector.rules.gaps import Gap
from connector.store import gap_reports, records, shops, wanted
from connector.store.db import Database
from connector.store.sealed import Vault
from sync import listening, reconcile
from sync.services import Services
from tests.conftest import TestShop
from tests.factories import make_checkout, make_customer, make_order, make_product, terms
from tests.sync.listening_kit import Listened, Shop
from tests.sync.world import Arrival, keep

ORDER = Resource.ORDER


@pytest.fixture
def shop(db: Database, vault: Vault, sandbox_settings: Settings, shopify_shop: TestShop) -> Shop:
    platform = Listened()
    one = Shop(Services(db, vault, {"shopify": platform}, None, sandbox_settings), platform, shopify_shop)
    one.begin()
    return one


def orders(shop: Shop, count: int, first: int = 1) -> None:
    """So many orders are placed now, a second apart, and none is told."""
    made = [make_order(shop.now() + timedelta(seconds=n), platform_id=str(first + n)) for n in range(count)]
    shop.change(ORDER, *made)


def look(shop: Shop) -> None:
    """The next look, once deliveries had their time."""
    shop.later(10.5)
    shop.listen()


def written(db: Database) -> dict[str, tuple[int, int]]:
    """Of each table how many rows it has, and which transaction wrote the newest of them."""
    with db.engine.connect() as connection:
        tables = connection.execute(text("select tablename from pg_tables where schemaname = 'public' and tablename <> 'app_clock'"))
        counts = {name: connection.execute(text(_WRITTEN.format(name))).one() for name in tables.scalars().all()}
    return {name: (row[0], row[1]) for name, row in counts.items()}


_WRITTEN = "select count(*), coalesce(max(xmin::text::bigint), 0) from {}"


class TestComparing:
    def test_all_pages_are_compared_not_a_sample(self, shop: Shop) -> None:
        orders(shop, 9)
        look(shop)
        assert len(shop.kept()) == 9

    def test_a_turn_that_is_over_goes_on_in_the_next_one_at_its_cursor(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        rung: list[str] = []
        shop.services.db.on_wake(lambda wake: rung.append(wake.job))
        orders(shop, 9)
        shop.later(10.5)
        monkeypatch.setattr(reconcile, "SECONDS", 0.0)
        shop.listen()
        assert (shop.kept(), shop.marks()[ORDER].cursor) == (["1", "2"], "2")
        assert "listen" in rung
        until = shop.marks()[ORDER].until
        for _ in range(4):
            shop.later(1)
            shop.listen()
        assert (len(shop.kept()), shop.marks()[ORDER].cursor) == (9, None)
        good = shop.marks()[ORDER].good_until
        assert good is not None
        assert until is not None
        assert good >= until
        assert sum(recovered["order"] for recovered, _, _ in shop.reports()) == 9
        assert len(shop.reports()) == 1, "however many turns it took, it is one gap"

    def test_a_shop_in_which_nothing_changed_gets_its_marks_written_and_nothing_else(self, shop: Shop) -> None:
        shop.told("1")
        look(shop)
        shop.later(10.5)
        before = written(shop.services.db)
        shop.listen()
        after = written(shop.services.db)
        assert {table for table in after if after[table] != before[table]} == {"sync_marks", "shops"}

    def test_an_order_that_is_as_we_keep_it_is_not_written_again(self, shop: Shop) -> None:
        shop.told("1")
        with shop.services.db.engine.connect() as connection:
            before = connection.exec_driver_sql("select xmin::text from orders").scalar_one()
            look(shop)
            assert connection.exec_driver_sql("select xmin::text from orders").scalar_one() == before

    def test_what_is_told_after_the_store_was_asked_is_not_overwritten_by_its_answer(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.told("1")
        (order,) = shop.platform.changing.changed[ORDER]
        assert isinstance(order, Order)
        shop.platform.changing.changed[ORDER] = [replace(order, number="#read")]
        changes = shop.platform.changing.changes

        def told_meanwhile(access: Access, what: Resource, *span: Any) -> Page:
            page = changes(access, what, *span)
            if page.records and what is ORDER:
                # The same second's last version comes while the answer is under way.
                shop.later(1)
                with shop.services.db.transaction(shop=shop.shop.id) as session:
                    records.save_orders(session, shop.shop.id, [replace(order, number="#told", triggered_at=shop.now())])
                shop.later(1)
            return page

        monkeypatch.setattr(shop.platform.changing, "changes", told_meanwhile)
        look(shop)

        with shop.services.db.engine.connect() as connection:
            assert connection.exec_driver_sql("select number from orders").scalar_one() == "#told"

    def test_what_waits_in_the_inbox_is_applied_before_anybody_says_that_it_was_not_told(self, shop: Shop) -> None:
        rung: list[str] = []
        orders(shop, 1)
        (delivery,) = keep(shop.services.db, shop.shop, [Arrival("orders/create", b"{}", shop.now())])
        shop.services.db.on_wake(lambda wake: rung.append(wake.job))
        look(shop)
        assert (shop.kept(), rung) == ([], ["apply_inbox"])
        with shop.services.db.engine.begin() as connection:
            connection.exec_driver_sql(f"update deliveries set state = 'applied' where id = {delivery}")
        shop.listen()
        assert shop.kept() == ["1"]

    def test_what_is_to_be_read_again_was_told(self, shop: Shop) -> None:
        shop.change(Resource.CUSTOMER, make_customer(shop.now()))
        orders(shop, 1)
        with shop.services.db.transaction(shop=shop.shop.id) as session:
            wanted.want(session, shop.shop.id, [(ORDER, "1")], delay_seconds=3600)
        look(shop)
        assert "order" not in shop.missed()

    def test_a_product_that_nobody_put_into_a_cart_was_not_missed(self, shop: Shop) -> None:
        shop.change(Resource.PRODUCT, make_product(shop.now()))
        shop.hear("products/update")
        look(shop)
        assert shop.missed() == {}

    def test_what_webhooks_missed_is_counted_by_kind_for_the_shop_and_the_process(self, shop: Shop) -> None:
        orders(shop, 2)
        shop.hear("orders/create", minutes_ago=-1)
        shop.change(Resource.CHECKOUT, make_checkout(shop.now()))
        shop.hear("checkouts/update")
        look(shop)
        assert shop.missed() == {"order": 2, "checkout": 1}
        counted = shop.services.metrics.webhooks_missed
        assert (counted.value("shopify", "order"), counted.value("shopify", "checkout")) == (2, 1)

    def test_marks_begin_anew_with_an_install(self, shop: Shop) -> None:
        look(shop)
        with shop.services.db.transaction(shop=shop.shop.id) as session:
            row = shops.get_shop(session, shop.shop.id)
            row.listened_at, row.installed_at = None, shop.now()
        shop.listen()
        assert {one.good_until for one in shop.marks().values()} == {row.installed_at}


def test_a_closed_store_is_asked_for_nothing_more(shop: Shop) -> None:
    closed = ShopClosed("payment required", platform="shopify", call="checkouts", status=402)
    shop.platform.changing.errors = dict.fromkeys(reconcile.KINDS, closed)
    look(shop)
    assert [what for what, _, _ in shop.platform.changing.asked] == [Resource.CHECKOUT]
    assert listening.ring(shop.services) == 1, "the same changes the next time"


class TestReporting:
    def test_several_in_a_row_are_a_gap_though_the_topic_is_heard_again(self, shop: Shop) -> None:
        """Our door was shut for an hour, and the store does not repeat itself."""
        shop.told("1")
        shop.later(1)
        for name in ("2", "3", "4"):
            shop.order(name)
            shop.later(20)
        shop.told("5")
        look(shop)
        assert shop.health() == {"orders/create": (False, False)}
        assert shop.reports() == [({"order": 3}, [], 0)]
        ((cause, words, is_settled),) = shop.notices()
        assert (cause, is_settled) == ("gap_found", False)
        assert (words or "").endswith("3 orders recovered, 0 messages")
        look(shop)
        assert [one[2] for one in shop.notices()] == [True], "all is well again"

    def test_an_outage_of_a_silent_topic_is_pulled_up_to_this_moment(self, shop: Shop) -> None:
        orders(shop, 2)
        shop.later(10.5)
        orders(shop, 1, first=3)
        shop.listen()
        assert (shop.kept(), shop.reports()) == (["1", "2", "3"], [({"order": 3}, ["orders/create"], 0)])

    def test_an_outage_that_goes_on_is_one_report_and_one_notice(self, shop: Shop) -> None:
        shop.platform.refused = {"orders/create": "Shopify has not approved this app for protected customer data"}
        for name in range(4):
            orders(shop, 1, first=name)
            look(shop)
        assert shop.reports() == [({"order": 4}, ["orders/create"], 0)]
        assert len(shop.notices()) == 1
        assert (shop.notices()[0][1] or "").endswith("4 orders recovered, 0 messages")

    def test_a_checkout_that_the_store_tells_too_little_of_is_named_and_not_guessed(self, shop: Shop) -> None:
        shop.platform.can = Capabilities(False, False, True, False, lists_whole_checkouts=False)
        ours = make_checkout(shop.now() - timedelta(days=1), cart_token="cart-1", number="#1")
        with shop.services.db.transaction(shop=shop.shop.id) as session:
            records.save_checkouts(session, terms(shop.shop), [ours])
        listed = {"token": None, "email": None}
        shop.change(
            Resource.CHECKOUT,
            make_checkout(shop.now(), platform_id="801", cart_token="cart-1", number="#1", **listed),
            make_checkout(shop.now(), platform_id="802", cart_token="cart-2", number="#2", **listed),
        )
        shop.hear("checkouts/update")
        look(shop)
        assert shop.missed() == {"checkout": 2}
        assert shop.kept("checkouts") == ["tok-1"]
        with shop.services.db.transaction(shop=shop.shop.id) as session:
            row = gap_reports.newest(session, shop.shop.id)
            assert row is not None
            found = gap_reports.to_gap(row)
        assert (found.lost, found.recovered) == (((Resource.CHECKOUT, "802"),), {})
        assert shop.notices() == [], "nobody is told of a single one"

    def test_a_later_gap_is_another_report(self, shop: Shop) -> None:
        with shop.services.db.transaction(shop=shop.shop.id) as session:
            early = shop.now() - timedelta(hours=5)
            gap_reports.note(session, shop.shop.id, Gap(early, early + timedelta(hours=1), {ORDER: 1}))
        orders(shop, 3)
        look(shop)
        assert [recovered for recovered, _, _ in shop.reports()] == [{"order": 1}, {"order": 3}]

    def test_what_was_found_before_the_store_fell_silent_is_reported_all_the_same(self, shop: Shop) -> None:
        orders(shop, 3)
        no_answer = TransientError("no answer", platform="shopify")
        shop.platform.changing.errors = dict.fromkeys((Resource.CUSTOMER, Resource.PRODUCT), no_answer)
        look(shop)
        assert shop.reports() == [({"order": 3}, ["orders/create"], 0)]
        assert shop.platform.wished == [], "the store did not answer any more"
        shop.platform.changing.errors.clear()
        shop.listen()
        assert shop.platform.wished == [["orders/create"]]
        assert shop.missed() == {"order": 3}


def test_the_subscriptions_of_a_shop_are_looked_at_even_if_it_shows_nothing(shop: Shop) -> None:
    denied = NotPermitted("no scope", platform="shopify")
    shop.platform.changing.errors = dict.fromkeys(reconcile.KINDS, denied)
    look(shop)
    assert {row.error for row in shop.marks().values()} == {"no scope"}
    assert listening.ring(shop.services) == 0, "in ten minutes again"
