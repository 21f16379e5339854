"""Tokens against the pretend Shopify: one refresh however many ask, lost answers, crashes, lost access (RL-140, C71, C73)."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.config import Settings
from connector.errors import NotFound
from connector.platforms import Access, AccessLost, TransientError
from connector.store import shops
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.sandbox.faults import Kind
from sync.access import call_shop, open_access
from tests.sync.shopify_stage import Stage, shopify_stage


@pytest.fixture
def stage(tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[Stage]:
    with shopify_stage(tmp_path, db, vault, sandbox_settings) as started:
        yield started


def ask(stage: Stage) -> Callable[[Access], object]:
    """A call that Shopify answers only for a living token."""
    reads = stage.services.platforms["shopify"].reads
    assert reads is not None
    return reads.shop_now


def at_once(count: int, work: Callable[[], object]) -> list[BaseException]:
    """Do it in so many threads; returns what was raised."""
    gate, raised = threading.Barrier(count), list[BaseException]()

    def go() -> None:
        gate.wait(10)
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=go) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return raised


@pytest.mark.spec("RL-140")
def test_rl_140_twenty_workers_meet_an_expired_token(stage: Stage) -> None:
    """One refresh; after a lost answer or a crash before it was saved, two. Nobody is locked out."""
    refreshes = stage.twin.tokens.answered
    for name in ("at once", "answer lost", "crash before save"):
        stage.expire()
        before = refreshes["refresh"]
        if name == "answer lost":
            stage.twin.faults.spoil_next(Kind.LOSE)
        if name == "crash before save":
            # What a worker does that dies between the answer and the commit: the pair that it got is never heard of again.
            crashed = stage.access()
            assert stage.services.platforms["shopify"].refresh(crashed, crashed.ends_at) is not None  # type: ignore[arg-type]
        raised = at_once(20, lambda: call_shop(stage.services, stage.shop_id, ask(stage)))
        assert all(isinstance(error, TransientError) for error in raised), name
        assert len(raised) <= (1 if name == "answer lost" else 0), name
        assert refreshes["refresh"] - before == (1 if name == "at once" else 2), name
        assert stage.state() == "connected", name
        call_shop(stage.services, stage.shop_id, ask(stage))
        assert refreshes["refresh"] - before == (1 if name == "at once" else 2), name


def test_the_pair_that_is_used_is_the_pair_that_is_stored(stage: Stage) -> None:
    stage.expire()
    used: list[str] = []
    at_once(5, lambda: used.append(open_access(stage.services, stage.shop_id).credentials["access_token"]))
    assert set(used) == {stage.access().credentials["access_token"]}


def test_a_token_that_was_revoked_before_its_end_is_replaced_and_the_call_answered(stage: Stage) -> None:
    stage.hold(access_token="shpat_revoked")
    call_shop(stage.services, stage.shop_id, ask(stage))
    assert (stage.twin.tokens.answered["refresh"], stage.state()) == (1, "connected")


@pytest.mark.spec("C73")
def test_c73_a_lost_refresh_token_is_visible_and_one_sign_in_cures_it(stage: Stage) -> None:
    stage.hold(refresh_token="shprt_lost")
    stage.expire()
    raised = at_once(20, lambda: call_shop(stage.services, stage.shop_id, ask(stage)))
    assert len(raised) == 20
    assert all(isinstance(error, AccessLost | NotFound) for error in raised)
    assert stage.state() == "needs_sign_in"
    assert stage.rows("select cause, settled_at from notices where shop_id = :shop") == [{"cause": "needs_sign_in", "settled_at": None}]
    calls = stage.calls()
    with pytest.raises(NotFound):
        call_shop(stage.services, stage.shop_id, ask(stage))
    assert stage.calls() == calls, "a shop that must sign in is not asked"
    stage.install()
    call_shop(stage.services, stage.shop_id, ask(stage))
    assert stage.state() == "connected"
    assert len(stage.rows("select 1 from notices where shop_id = :shop and settled_at is null")) == 0


@pytest.mark.spec("C71")
def test_c71_webhooks_are_kept_and_applied_though_no_token_works_and_after_an_uninstall_answered(stage: Stage) -> None:
    stage.hold(access_token="shpat_dead", refresh_token="shprt_dead")
    stage.expire()
    with pytest.raises(AccessLost):
        call_shop(stage.services, stage.shop_id, ask(stage))
    token = stage.twin.start_checkout([(next(iter(stage.twin.shop.products.values())).variants[0].sku, 1)], email="anna@example.org")
    stage.settle()
    assert [row["email"] for row in stage.rows("select email from checkouts where shop_id = :shop and token = :token", token=token)] == [
        "anna@example.org"
    ]
    stage.twin.uninstall()
    stage.settle()
    assert stage.state() == "uninstalled"
    stage.twin.redact_shop()
    stage.settle()
    answers = {attempt.status for one in stage.twin.deliveries.deliveries() for attempt in one.attempts}
    assert answers == {200}


def test_a_late_farewell_of_the_former_install_changes_nothing(stage: Stage) -> None:
    stage.later(1)
    stage.twin.deliveries.faults.delay_next(seconds=600)
    stage.twin.uninstall()
    stage.later(1)
    stage.install()
    token = stage.access().credentials["access_token"]
    stage.later(30)
    stage.settle()
    assert stage.rows("select topic, state from deliveries where shop_id = :shop") == [{"topic": "app/uninstalled", "state": "applied"}]
    assert (stage.state(), stage.access().credentials["access_token"]) == ("connected", token)
    call_shop(stage.services, stage.shop_id, ask(stage))


def test_an_uninstalled_shop_gets_no_credentials_from_a_refresh_that_was_under_way(stage: Stage) -> None:
    held = stage.access()
    stage.twin.uninstall()
    stage.settle()
    with stage.services.db.transaction(shop=stage.shop_id) as session:
        assert not shops.replace_credentials(session, stage.services.vault, stage.shop_id, {"access_token": "late"}, held)
    assert stage.rows("select credentials from shops where id = :shop") == [{"credentials": None}]
