"""Access to a shop: one refresh at a time, stored before use, lost politely."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import pytest

from connector.config import Settings
from connector.errors import NotFound
from connector.platforms import Access, AccessLost, Rejected, ThrottledError, TransientError
from connector.store import clock, notices, shops
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from sync import access
from sync.access import acquire, call_shop, open_access
from sync.services import Services
from tests.conftest import TestShop
from tests.fakes import FakePlatform


class Rotating(FakePlatform):
    """
    Tokens with an end; each refresh gives the next number. `failure` is raised instead; `slow` seconds each takes.

    `refused`: access tokens that calls are not answered for; `meanwhile`: what happens while a refresh is asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refreshes = 0
        self.failure: Exception | None = None
        self.slow = 0.0
        self.refused: set[str] = set()
        self.meanwhile: Callable[[], object] = lambda: None

    def refresh(self, access: Access, now: datetime, *, is_refused: bool = False) -> Mapping[str, str] | None:
        if not is_refused and access.ends_at is not None and access.ends_at - timedelta(minutes=5) > now:
            return None
        time.sleep(self.slow)
        self.meanwhile()
        if self.failure is not None:
            raise self.failure
        self.refreshes += 1
        return token(f"number {self.refreshes}", now + timedelta(hours=1))

    def answer(self, access: Access) -> str:
        """A call that says which token it came with."""
        name = access.credentials["access_token"]
        if name in self.refused:
            raise AccessLost("answered 401", platform="shopify", call="orders", status=401)
        return name


def token(name: str, ends_at: datetime) -> dict[str, str]:
    return {"access_token": name, "expires_at": ends_at.isoformat()}


@pytest.fixture
def rotating() -> Rotating:
    return Rotating()


@pytest.fixture
def services(db: Database, vault: Vault, sandbox_settings: Settings, rotating: Rotating) -> Services:
    return Services(db, vault, {"shopify": rotating}, None, sandbox_settings)


@pytest.fixture
def shop(services: Services, shopify_shop: TestShop) -> TestShop:
    """A connected shop whose token ended a minute ago."""
    hold(services, shopify_shop, "number 0", minutes=-1)
    return shopify_shop


def hold(services: Services, shop: TestShop, name: str, minutes: float) -> None:
    """Have a token stored that ends in so many minutes."""
    with services.db.transaction(shop=shop.id) as session:
        assert shops.replace_credentials(session, services.vault, shop.id, token(name, app_now(session) + timedelta(minutes=minutes)))


def held(services: Services, shop: TestShop) -> str:
    """The stored token."""
    with services.db.transaction(shop=shop.id) as session:
        return shops.open_access(services.vault, shops.get_shop(session, shop.id)).credentials["access_token"]


def state_of(db: Database, shop: TestShop) -> str:
    with db.transaction(shop=shop.id) as session:
        return shops.get_shop(session, shop.id).state


def later(services: Services, **gone: float) -> None:
    with services.db.system_transaction("time goes by") as session:
        clock.step_to(session, clock.read(session) + timedelta(**gone))


def at_once(count: int, work: Callable[[], object]) -> None:
    """Do it in so many threads and wait for all."""
    gate = threading.Barrier(count)

    def go() -> None:
        gate.wait(10)
        work()

    threads = [threading.Thread(target=go) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_twenty_who_ask_at_once_cause_one_refresh(services: Services, shop: TestShop, rotating: Rotating) -> None:
    opened: list[str] = []
    rotating.slow = 0.2
    at_once(20, lambda: opened.append(open_access(services, shop.id).credentials["access_token"]))
    assert opened == ["number 1"] * 20
    assert rotating.refreshes == 1


def test_the_pair_is_stored_and_replaced_five_minutes_before_its_end(services: Services, shop: TestShop, rotating: Rotating) -> None:
    open_access(services, shop.id)
    assert held(services, shop) == "number 1"
    later(services, minutes=54)
    assert open_access(services, shop.id).credentials["access_token"] == "number 1"
    later(services, minutes=1.5)
    assert open_access(services, shop.id).credentials["access_token"] == "number 2"
    assert rotating.refreshes == 2


def test_lost_access_marks_the_shop_and_tells_its_owners(services: Services, shop: TestShop, rotating: Rotating, db: Database) -> None:
    rotating.failure = AccessLost("no", platform="shopify")
    with pytest.raises(AccessLost):
        open_access(services, shop.id)
    assert state_of(db, shop) == "needs_sign_in"
    with pytest.raises(NotFound):
        open_access(services, shop.id)
    with db.transaction(shop=shop.id) as session:
        assert [one.cause for one in notices.list_open(session, shops.get_shop(session, shop.id).account_id)] == ["needs_sign_in"]


def test_an_unclear_answer_keeps_what_is_stored(services: Services, shop: TestShop, rotating: Rotating, db: Database) -> None:
    rotating.failure = TransientError("no answer", platform="shopify")
    with pytest.raises(TransientError):
        open_access(services, shop.id)
    rotating.failure = None
    assert state_of(db, shop) == "connected"
    assert open_access(services, shop.id).credentials["access_token"] == "number 1"


def test_while_the_token_lives_a_platform_that_does_not_answer_stops_nobody(services: Services, shop: TestShop, rotating: Rotating) -> None:
    hold(services, shop, "living", minutes=4)
    rotating.failure, rotating.slow = TransientError("no answer", platform="shopify"), 1.0
    opened: list[str] = []
    began = time.monotonic()
    at_once(5, lambda: opened.append(open_access(services, shop.id).credentials["access_token"]))
    assert opened == ["living"] * 5
    assert time.monotonic() - began < 2.5, "one waited, the others did not"


def test_whoever_waits_too_long_for_another_is_told_to_come_again(
    services: Services, shop: TestShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.access.PATIENCE_SECONDS", 0.2)
    with acquire(services, "shopify", shop.domain), pytest.raises(TransientError, match="somebody else"):
        open_access(services, shop.id)
    assert open_access(services, shop.id).credentials["access_token"] == "number 1"


def test_an_install_and_a_refresh_of_the_same_shop_never_run_at_once(services: Services, shop: TestShop, rotating: Rotating) -> None:
    opened: list[str] = []
    worker = threading.Thread(target=lambda: opened.append(open_access(services, shop.id).credentials["access_token"]))
    with acquire(services, "shopify", shop.domain):
        worker.start()
        time.sleep(0.3)
        assert (opened, rotating.refreshes) == ([], 0)
        hold(services, shop, "installed", minutes=60)
    worker.join(10)
    assert (opened, rotating.refreshes) == (["installed"], 0), "what was acquired meanwhile is used, not replaced"


def test_a_refresh_of_one_shop_is_nobody_elses_wait(services: Services, shop: TestShop, rotating: Rotating) -> None:
    with acquire(services, "shopify", "other.myshopify.com"), acquire(services, "woocommerce", shop.domain):
        assert open_access(services, shop.id).credentials["access_token"] == "number 1"


def test_what_fails_while_acquiring_lets_go_of_the_lock(services: Services, shop: TestShop) -> None:
    with pytest.raises(ZeroDivisionError), acquire(services, "shopify", shop.domain):
        raise ZeroDivisionError
    assert open_access(services, shop.id).credentials["access_token"] == "number 1"


class TestCalling:
    """`call_shop`."""

    def test_a_good_token_is_used_as_it_is(self, services: Services, shop: TestShop, rotating: Rotating) -> None:
        hold(services, shop, "good", minutes=30)
        assert call_shop(services, shop.id, rotating.answer) == "good"
        assert rotating.refreshes == 0

    def test_a_refused_token_is_refreshed_once_and_the_call_repeated(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        hold(services, shop, "revoked", minutes=30)
        rotating.refused = {"revoked"}
        assert call_shop(services, shop.id, rotating.answer) == "number 1"
        assert (rotating.refreshes, held(services, shop), state_of(db, shop)) == (1, "number 1", "connected")

    def test_a_token_that_another_worker_stored_meanwhile_is_tried_before_any_refresh(
        self, services: Services, shop: TestShop, rotating: Rotating
    ) -> None:
        hold(services, shop, "old", minutes=30)
        rotating.refused = {"old"}

        def call(access: Access) -> str:
            if access.credentials["access_token"] == "old":
                hold(services, shop, "newer", minutes=60)
            return rotating.answer(access)

        assert call_shop(services, shop.id, call) == "newer"
        assert rotating.refreshes == 0

    def test_twenty_who_meet_a_refused_token_at_once_cause_one_refresh(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        hold(services, shop, "revoked", minutes=30)
        rotating.refused, rotating.slow = {"revoked"}, 0.1
        answers: list[str] = []
        at_once(20, lambda: answers.append(call_shop(services, shop.id, rotating.answer)))
        assert answers == ["number 1"] * 20
        assert (rotating.refreshes, state_of(db, shop)) == (1, "connected")

    def test_only_when_a_fresh_token_is_refused_too_somebody_must_sign_in(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        hold(services, shop, "revoked", minutes=30)
        rotating.refused = {"revoked", "number 1", "number 2", "number 3"}
        asked: list[str] = []

        def call(access: Access) -> str:
            asked.append(access.credentials["access_token"])
            return rotating.answer(access)

        with pytest.raises(AccessLost, match="401"):
            call_shop(services, shop.id, call)
        assert state_of(db, shop) == "needs_sign_in"
        assert (asked, rotating.refreshes) == (["revoked", "number 1", "number 2"], 2), "bounded"

    def test_a_refused_token_that_cannot_be_refreshed_is_lost(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        hold(services, shop, "revoked", minutes=30)
        rotating.refused, rotating.failure = {"revoked"}, AccessLost("invalid_grant", platform="shopify", call="refresh", status=400)
        with pytest.raises(AccessLost):
            call_shop(services, shop.id, rotating.answer)
        assert state_of(db, shop) == "needs_sign_in"

    def test_keys_that_never_end_are_lost_when_they_are_refused(
        self, db: Database, vault: Vault, sandbox_settings: Settings, woo_shop: TestShop
    ) -> None:
        woocommerce = FakePlatform(shop_in_path=True)
        services = Services(db, vault, {"woocommerce": woocommerce}, None, sandbox_settings)

        def call(access: Access) -> str:
            raise AccessLost("answered 401", platform="woocommerce")

        with pytest.raises(AccessLost):
            call_shop(services, woo_shop.id, call)
        assert state_of(db, woo_shop) == "needs_sign_in"

    def test_an_unclear_refresh_after_a_refusal_marks_nobody(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        hold(services, shop, "revoked", minutes=30)
        rotating.refused, rotating.failure = {"revoked"}, ThrottledError("later", platform="shopify", retry_after=2.0)
        with pytest.raises(ThrottledError):
            call_shop(services, shop.id, rotating.answer)
        assert state_of(db, shop) == "connected"

    def test_our_own_wrong_secret_marks_no_merchant(self, services: Services, shop: TestShop, rotating: Rotating, db: Database) -> None:
        rotating.failure = Rejected("Shopify does not know our client id and secret", platform="shopify")
        with pytest.raises(Rejected):
            call_shop(services, shop.id, rotating.answer)
        assert state_of(db, shop) == "connected"

    def test_a_loss_is_not_reported_of_a_shop_that_signed_in_meanwhile(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        hold(services, shop, "revoked", minutes=30)
        refused = shops_access(services, shop)
        hold(services, shop, "installed anew", minutes=60)
        access.report_loss(services, shop.id, AccessLost("401", platform="shopify"), refused)
        assert state_of(db, shop) == "connected"


def shops_access(services: Services, shop: TestShop) -> Access:
    with services.db.transaction(shop=shop.id) as session:
        return shops.open_access(services.vault, shops.get_shop(session, shop.id))


class TestRaces:
    """What happens to a shop while its tokens are being asked for."""

    def test_nothing_is_written_for_a_shop_that_was_uninstalled_meanwhile(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        def uninstall() -> None:
            with db.transaction(shop=shop.id) as session:
                shops.uninstall(session, shop.id, app_now(session))

        rotating.meanwhile = uninstall
        with pytest.raises(NotFound):
            open_access(services, shop.id)
        with db.transaction(shop=shop.id) as session:
            row = shops.get_shop(session, shop.id)
        assert (row.state, row.credentials, row.credentials_at) == ("uninstalled", None, None)

    def test_a_refresh_never_overwrites_what_was_acquired_meanwhile(self, services: Services, shop: TestShop, rotating: Rotating) -> None:
        rotating.meanwhile = lambda: hold(services, shop, "installed anew", minutes=60)
        assert open_access(services, shop.id).credentials["access_token"] == "installed anew"
        assert held(services, shop) == "installed anew"

    def test_a_refused_refresh_is_forgiven_if_another_worker_was_faster(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        rotating.meanwhile = lambda: hold(services, shop, "faster", minutes=60)
        rotating.failure = AccessLost("invalid_grant", platform="shopify", call="refresh", status=400)
        assert open_access(services, shop.id).credentials["access_token"] == "faster"
        assert state_of(db, shop) == "connected"


class TestWeekly:
    """Shops that nobody asks for anything."""

    def test_a_quiet_shop_is_rung_for_and_its_token_replaced(self, services: Services, shop: TestShop, rotating: Rotating) -> None:
        rung: list[int] = []
        services.db.on_wake(lambda wake: rung.append(wake.shop_id))
        assert access.weekly(services) == 0
        later(services, days=7)
        assert (access.weekly(services), rung) == (1, [shop.id])
        access.renew(services, shop.id)
        assert (held(services, shop), access.weekly(services)) == ("number 1", 0)
        access.renew(services, shop.id)
        assert rotating.refreshes == 1, "a second ring finds it done"

    def test_a_token_that_still_lives_is_replaced_as_well(self, services: Services, shop: TestShop, rotating: Rotating) -> None:
        hold(services, shop, "long", minutes=60 * 24 * 30)
        later(services, days=8)
        access.renew(services, shop.id)
        assert held(services, shop) == "number 1"

    def test_keys_without_an_end_are_left_alone_for_another_week(self, services: Services, shopify_shop: TestShop) -> None:
        later(services, days=8)
        assert access.weekly(services) == 1
        access.renew(services, shopify_shop.id)
        assert access.weekly(services) == 0
        assert held(services, shopify_shop) == f"token-of-{shopify_shop.domain}"

    def test_a_refused_one_is_lost_and_an_unclear_one_tried_again(
        self, services: Services, shop: TestShop, rotating: Rotating, db: Database
    ) -> None:
        later(services, days=8)
        rotating.failure = TransientError("no answer", platform="shopify")
        access.renew(services, shop.id)
        assert (state_of(db, shop), access.weekly(services)) == ("connected", 1)
        rotating.failure = AccessLost("invalid_grant", platform="shopify")
        access.renew(services, shop.id)
        assert (state_of(db, shop), access.weekly(services)) == ("needs_sign_in", 0)
        access.renew(services, shop.id)
