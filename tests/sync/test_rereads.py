"""What changed without saying what is read again, and applied as deliveries are."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from connector.canonical import Channel, Consent, ConsentState, Customer, Product, Resource, ShopProfile, Variant
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.platforms import AccessLost, NotPermitted, PlatformError, Rejected, ThrottledError, TransientError
from connector.store import codes, products, wanted
from connector.store.db import Wake
from connector.store.wanted import MAX_ATTEMPTS
from sync import apply, lookout, rereads, sweep
from sync.jobs import Job
from sync.pauses import Pauses
from tests.fakes import FakePlatform
from tests.statements import before_statements
from tests.sync.bodies import shopify_checkout
from tests.sync.telling import FakeCodes, FakeReads, merge_body
from tests.sync.world import Arrival, World, keep

EMAIL = "anna.petit@example.org"
PROFILE = ShopProfile("Atelier Brume Paris", "EUR", "Europe/Paris", "https://brume.example/", contact_email="bonjour@brume.example")


def customer(number: str, at: datetime, state: ConsentState = ConsentState.SUBSCRIBED) -> Customer:
    """Anna as the store has her, with her consent."""
    return Customer(number, at, email=EMAIL, first_name="Anna", consents=(Consent(Channel.EMAIL, state, at, "store"),))


def state_of(platform_id: str, code: str, at: datetime, **changes: object) -> CodeState:
    """A living code."""
    return replace(CodeState(platform_id, at, code, CodeKind.PERCENTAGE, CodeStatus.ACTIVE), **changes)  # type: ignore[arg-type]


class Store:
    """A shop whose platform can be read, and its wishes."""

    def __init__(self, world: World) -> None:
        self.reads, self.codes = FakeReads(PROFILE), FakeCodes()
        self.platform = FakePlatform(reads=self.reads, codes=self.codes)
        self.world = replace(world, services=replace(world.services, platforms={"shopify": self.platform}))

    def want(self, *records: tuple[Resource, str]) -> None:
        """Wish."""
        with self.world.db.transaction(shop=self.world.shop.id) as session:
            wanted.want(session, self.world.shop.id, records)

    def reread(self) -> int:
        """Read what is due."""
        return rereads.reread(self.world.services, self.world.shop.id)

    def wishes(self) -> list[tuple[str, int, str | None]]:
        """(id, attempts, reason) of all wishes."""
        rows = self.world.rows("select platform_id, attempts, reason from wanted_reads where shop_id = :shop order by platform_id")
        return [(row["platform_id"], row["attempts"], row["reason"]) for row in rows]

    def hold(self, *states: CodeState) -> None:
        """Codes that were read before."""
        with self.world.db.transaction(shop=self.world.shop.id) as session:
            codes.save_codes(session, self.world.shop.id, states, self.world.at(-60))

    def living_codes(self) -> list[str]:
        """The codes that are not deleted."""
        return [row["code"] for row in self.world.rows("select code from discount_codes where deleted_at is null order by code")]


@pytest.fixture
def store(world: World) -> Store:
    """A store."""
    return Store(world)


def test_a_customer_is_read_and_applied_as_a_delivery_would_be(store: Store) -> None:
    store.reads.records[Resource.CUSTOMER, "7"] = customer("7", store.world.start, ConsentState.UNSUBSCRIBED)
    store.want((Resource.CUSTOMER, "7"))

    assert store.reread() == 1
    assert store.world.one("customers")["email"] == EMAIL
    assert store.world.one("consents")["state"] == "unsubscribed"
    assert store.wishes() == []
    assert store.reread() == 0


def test_products_are_read_many_at_once(store: Store) -> None:
    now = store.world.start
    with store.world.db.transaction(shop=store.world.shop.id) as session:
        products.save_products(session, store.world.shop.id, [Product("1", now, "old"), Product("2", now, "gone")], now)
    store.platform.products["1"] = Product("1", store.world.at(1), "new", variants=(Variant("11", is_available=False),))
    store.want((Resource.PRODUCT, "1"), (Resource.PRODUCT, "2"))

    assert store.reread() == 2
    assert [call for call in store.platform.calls if call.startswith("read_products")] == ["read_products 1 2"]
    rows = store.world.rows("select platform_id, title, is_deleted from products where shop_id = :shop order by 1")
    assert [row["title"] for row in rows if not row["is_deleted"]] == ["new"]
    assert store.world.one("product_variants")["is_available"] is False


def test_a_shop_that_changed_has_its_new_name_and_address(store: Store) -> None:
    store.want((Resource.SHOP, "shop"))

    assert store.reread() == 1
    (shop,) = store.world.rows("select name, contact_email from shops where id = :shop")
    assert (shop["name"], shop["contact_email"]) == ("Atelier Brume Paris", "bonjour@brume.example")


def test_what_is_gone_is_removed(store: Store) -> None:
    store.reads.records[Resource.CUSTOMER, "7"] = customer("7", store.world.at(-1))
    store.want((Resource.CUSTOMER, "7"))
    store.reread()
    store.reads.records.clear()
    store.want((Resource.CUSTOMER, "7"))

    assert store.reread() == 1
    assert store.world.one("customers")["deleted_at"] is not None
    assert store.wishes() == []


class TestCodes:
    def test_a_code_is_kept_as_it_is_now(self, store: Store) -> None:
        store.hold(state_of("15", "MERCI", store.world.start))
        store.reads.records[Resource.DISCOUNT_CODE, "15"] = state_of("15", "MERCI", store.world.at(1), status=CodeStatus.EXPIRED, codes=1)
        store.want((Resource.DISCOUNT_CODE, "15"))

        assert store.reread() == 1
        assert store.world.one("discount_codes")["status"] == "expired"
        assert store.codes.asked == []

    def test_of_a_discount_with_many_each_kept_one_is_looked_up(self, store: Store) -> None:
        for code in ("FIRST", "Kept", "LOST"):
            store.hold(state_of("15", code, store.world.start))
        store.hold(state_of("16", "OTHER", store.world.start))
        store.reads.records[Resource.DISCOUNT_CODE, "15"] = state_of("15", "first", store.world.at(1), codes=300)
        store.codes.held["kept"] = state_of("15", "KEPT", store.world.at(1), used=4)
        store.want((Resource.DISCOUNT_CODE, "15"))

        assert store.reread() == 1
        assert store.codes.asked == ["Kept", "LOST"]
        assert store.living_codes() == ["KEPT", "OTHER", "first"]
        assert store.world.rows("select used from discount_codes where code = 'KEPT'")[0]["used"] == 4

    def test_a_discount_that_is_gone_takes_all_its_codes(self, store: Store) -> None:
        store.hold(state_of("15", "ONE", store.world.start), state_of("15", "TWO", store.world.start))
        store.want((Resource.DISCOUNT_CODE, "15"))

        assert store.reread() == 1
        assert store.living_codes() == []


class TestTrouble:
    def test_a_throttle_rests_the_shop_and_what_was_read_before_is_kept(self, store: Store) -> None:
        now = [0.0]
        services = replace(store.world.services, pauses=Pauses(lambda: now[0]))
        store.world = replace(store.world, services=services)
        store.reads.records[Resource.CUSTOMER, "1"] = customer("1", store.world.start)
        store.reads.errors["2"] = ThrottledError("wait", platform="shopify", retry_after=7)
        store.want((Resource.CUSTOMER, "1"), (Resource.CUSTOMER, "2"), (Resource.CUSTOMER, "3"))

        assert store.reread() == 1
        assert store.wishes() == [("2", 0, None), ("3", 0, None)]
        assert store.reread() == 0
        assert store.reads.asked == ["customer 1", "customer 2"]

        store.reads.errors.clear()
        now[0] = 8
        assert services.pauses.take_over() == [Wake(Job.REREAD.value, store.world.shop.id)]
        assert store.reread() == 2

    def test_no_answer_is_asked_for_again_later_and_holds_up_no_other_record(self, store: Store) -> None:
        store.reads.errors["1"] = TransientError("no", platform="shopify")
        store.reads.records[Resource.CUSTOMER, "2"] = customer("2", store.world.start)
        store.want((Resource.CUSTOMER, "1"), (Resource.CUSTOMER, "2"))

        assert store.reread() == 1
        assert store.wishes() == [("1", 1, None)]
        assert store.reread() == 0
        store.reads.errors.clear()
        store.world.go_to(store.world.now() + timedelta(seconds=40))
        assert store.reread() == 1

    @pytest.mark.parametrize(("error", "reason"), [(NotPermitted, "not_permitted"), (Rejected, "rejected"), (PlatformError, "unreadable")])
    def test_what_is_refused_for_good_leaves_its_reason_until_it_is_wanted_anew(
        self, store: Store, error: type[PlatformError], reason: str
    ) -> None:
        store.reads.errors["1"] = error("no", platform="shopify", call="customer")
        store.want((Resource.CUSTOMER, "1"))

        assert store.reread() == 0
        assert store.wishes() == [("1", 1, reason)]
        store.world.go_to(store.world.now() + timedelta(days=2))
        assert store.reread() == 0
        store.want((Resource.CUSTOMER, "1"))
        store.reread()
        assert store.reads.asked == ["customer 1", "customer 1"]

    def test_lost_access_stops_politely_and_goes_on_after_the_next_sign_in(self, store: Store) -> None:
        store.reads.errors["1"] = AccessLost("no", platform="shopify", call="customer")
        store.want((Resource.CUSTOMER, "1"), (Resource.CUSTOMER, "2"))

        assert store.reread() == 0
        assert store.world.rows("select state from shops where id = :shop")[0]["state"] == "needs_sign_in"
        assert store.wishes() == [("1", 0, None), ("2", 0, None)]
        assert store.reread() == 0

        store.reads.errors.clear()
        store.world.execute("update shops set state = 'connected' where id = :shop")
        assert store.reread() == 2

    def test_an_uninstall_while_the_store_is_asked_leaves_nothing_written(self, store: Store) -> None:
        store.reads.records[Resource.CUSTOMER, "1"] = customer("1", store.world.start)
        store.reads.while_asked = lambda: store.world.execute("update shops set state = 'uninstalled' where id = :shop")
        store.want((Resource.CUSTOMER, "1"))
        store.reread()

        assert store.world.rows("select 1 from customers where shop_id = :shop") == []

    def test_a_platform_that_cannot_be_read_yet_leaves_the_reason(self, store: Store) -> None:
        store.platform.reads = None
        store.want((Resource.CUSTOMER, "1"))

        assert store.reread() == 0
        assert store.wishes() == [("1", 1, "not_readable")]

    def test_what_the_database_refuses_stands_alone_and_is_given_up_in_the_end(self, store: Store) -> None:
        poison = customer("2", store.world.start)
        store.reads.records[Resource.CUSTOMER, "1"] = customer("1", store.world.start)
        store.reads.records[Resource.CUSTOMER, "2"] = replace(poison, first_name="poison\x00")
        store.want((Resource.CUSTOMER, "1"), (Resource.CUSTOMER, "2"))

        assert store.reread() == 1
        assert [row["platform_id"] for row in store.world.rows("select platform_id from customers")] == ["1"]
        for _ in range(MAX_ATTEMPTS):
            store.world.go_to(store.world.now() + timedelta(hours=2))
            store.reread()
        assert store.wishes() == [("2", MAX_ATTEMPTS, "cannot_be_applied")]
        assert len(store.reads.asked) == 1 + MAX_ATTEMPTS


def test_trouble_of_the_databases_own_leaves_the_wish_to_the_next_try(store: Store) -> None:
    store.reads.records[Resource.CUSTOMER, "1"] = customer("1", store.world.start)
    store.want((Resource.CUSTOMER, "1"))

    def fail(statement: str) -> None:
        if "insert into customers" in statement:
            raise psycopg.OperationalError("the line was cut")

    with before_statements(fail), pytest.raises(OperationalError):
        store.reread()
    assert store.wishes() == [("1", 1, None)]

    store.world.go_to(store.world.now() + timedelta(seconds=wanted.LEASE_SECONDS + 1))
    assert store.reread() == 1
    assert store.wishes() == []


def test_what_changes_again_while_it_is_read_is_read_once_more(store: Store) -> None:
    store.reads.records[Resource.CUSTOMER, "1"] = customer("1", store.world.start)
    store.reads.while_asked = lambda: store.want((Resource.CUSTOMER, "1"))
    store.want((Resource.CUSTOMER, "1"))
    store.reread()
    store.reads.while_asked = None

    assert store.wishes() == [("1", 0, None)]
    assert store.reread() == 1
    assert store.wishes() == []


def test_more_than_fits_a_turn_rings_again_and_so_does_another_kind(store: Store) -> None:
    rung: list[str] = []
    store.world.db.on_wake(lambda wake: rung.append(wake.job))
    store.want(*((Resource.CUSTOMER, str(n)) for n in range(rereads.AT_ONCE + 1)), (Resource.SHOP, "shop"))

    for expected in (rereads.AT_ONCE, 1, 1):
        assert store.reread() == expected
    assert rung.count("reread_records") == 2
    assert rung.count("apply_inbox") == 3, "who rang for the inbox meanwhile was turned away"


def test_the_sweep_rings_for_forgotten_wishes_and_the_lookout_reads_them(store: Store) -> None:
    store.want((Resource.SHOP, "shop"))
    assert (Job.REREAD, store.world.shop.id) in sweep.find_due(store.world.services)

    look = lookout.Lookout(store.world.services, lambda: False, lambda wake: None)
    look._do_what_is_due()
    assert store.wishes() == []
    assert sweep.find_due(store.world.services) == []


def test_reading_and_a_drain_wait_for_each_other(store: Store) -> None:
    """Both write a shop's checkouts, so only one of them does at a time; neither is lost."""
    world = store.world
    store.platform.topics = frozenset({"checkouts/update"})
    store.reads.records[Resource.CUSTOMER, "1"] = customer("1", world.start)
    real = replace(world, services=replace(world.services, platforms={**world.services.platforms}))
    for turn in range(5):
        body = b'{"id":"c%d","at":"%s","currency":"EUR","total":"1.00","email":"anna.petit@example.org"}'
        keep(world.db, world.shop, [Arrival("checkouts/update", body % (turn, world.start.isoformat().encode()))])
        store.want((Resource.CUSTOMER, "1"))
        work: Sequence[Callable[[], object]] = (store.reread, lambda: apply.drain(real.services, world.shop.id))
        threads = [threading.Thread(target=one) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        apply.drain(real.services, world.shop.id)

    assert len(world.rows("select 1 from checkouts where shop_id = :shop")) == 5
    assert store.wishes() == []


def test_a_merge_has_the_kept_customers_consent_read(store: Store, world: World) -> None:
    """What the merged one agreed to may or may not go over: only the store knows."""
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
    world.arrive("customers/merge", merge_body(7, 8), world.start)
    store.reads.records[Resource.CUSTOMER, "8"] = customer("8", world.at(1), ConsentState.UNSUBSCRIBED)

    assert store.reread() == 1
    assert world.one("consents")["state"] == "unsubscribed"
