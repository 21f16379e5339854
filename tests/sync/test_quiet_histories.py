"""
However a sync and the store tell of the same versions, once the store has told all of them the rows say what they would without the sync.

And until then nothing was sent, armed or given for what only the sync told.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector.canonical import Checkout, Order, PaymentState
from connector.store import automations, shops
from connector.store.audit import Actor
from connector.store.db import app_now
from connector.store.sealed import Vault
from sync import abandon, offers
from sync.services import Services
from tests.conftest import TestShop, install
from tests.factories import make_checkout, make_line, make_order
from tests.sync.digest import digest
from tests.sync.offer_desk import OfferDesk
from tests.sync.quiet_kit import NOTHING, tell
from tests.sync.world import World

BEFORE = timedelta(hours=5)
"""So long before the present the histories began: whatever is armed falls due at once."""
_numbers = itertools.count()
T = TypeVar("T")

PEOPLE = st.sampled_from(["anna@example.org", "bob@example.org", None])
MINUTES = st.integers(0, 4)
CHECKOUTS = st.tuples(st.just("checkout"), MINUTES, PEOPLE, st.integers(0, 2), st.sampled_from([None, "t1"]))
ORDERS = st.tuples(st.sampled_from(["o1", "o2"]), MINUTES, PEOPLE, st.booleans(), st.sampled_from([None, None, "t1"]))
VERSIONS = st.lists(CHECKOUTS | ORDERS, min_size=2, max_size=6, unique_by=lambda told: told[:2])


def version(told: tuple[object, ...], start: datetime) -> Checkout | Order:
    """One version of a record; no two of one record are of the same instant."""
    what, minutes, email, detail, token = told
    at = start + timedelta(minutes=int(minutes))  # type: ignore[call-overload]
    if what == "checkout":
        lines = (make_line(quantity=int(detail)),) if detail else ()  # type: ignore[call-overload]
        return make_checkout(at, created_at=start, email=email, token=token, lines=lines)
    placed = start + timedelta(minutes=1 if what == "o1" else 2)
    made = make_order(at, platform_id=what, email=email, checkout_token=token, created_at=placed, placed_at=placed)
    return replace(made, paid_at=placed) if detail else replace(made, payment_state=PaymentState.PENDING)


def opened(services: Services, vault: Vault) -> World:
    """A shop with an offer that is given, and the automation on since before the histories."""
    shop: TestShop = install(services.db, vault, "shopify", f"q{next(_numbers)}.example", "Quiet")
    desk = OfferDesk(services, shop.id)
    start = desk.now.replace(microsecond=0) - BEFORE
    desk.hold_code()
    desk.publish()
    world = World(services, shop, start)
    with services.db.transaction(shop=shop.id) as session:
        automations.turn_on(session, shops.get_shop(session, shop.id), Actor("merchant"))
    world.execute("update automations set activated_at = :at where shop_id = :shop", at=start - BEFORE)
    world.execute("update offers set activated_at = :at where shop_id = :shop", at=start - BEFORE)
    return world


def shuffled(chance: random.Random, told: Sequence[T]) -> list[T]:
    """The same in another order."""
    return chance.sample(told, len(told))


def work(world: World) -> None:
    """Everybody looks at what there is."""
    abandon.mark_abandoned(world.services, world.shop.id)
    while offers.tend(world.services, world.shop.id):
        pass


def say(world: World, told: Sequence[tuple[Checkout | Order, bool]]) -> None:
    """These are told one by one, each by a sync (True) or by the store."""
    for one, is_quiet in told:
        with world.db.transaction(shop=world.shop.id) as session:
            now = app_now(session)
        tell(world.services, world.shop.id, replace(one, triggered_at=now) if is_quiet else one, is_quiet=is_quiet)


def begun(world: World) -> dict[str, int]:
    """How much was begun in the shop. An order that came and went leaves a decision behind, which begins nothing."""
    tables = NOTHING.keys() - {"decisions"}
    return {table: world.rows(f"select count(*) n from {table} where shop_id = :shop")[0]["n"] for table in tables}


def rows(world: World) -> list[tuple[str, str]]:
    """What the rows say, but for when a record was told."""
    world.execute("update checkouts set source_triggered_at = source_version where shop_id = :shop")
    world.execute("update checkout_versions set source_triggered_at = source_version where shop_id = :shop")
    world.execute("update orders set source_triggered_at = source_version where shop_id = :shop")
    return sorted(set(digest(world.db, world.shop.id)))


@settings(max_examples=20, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(history=VERSIONS, chance=st.randoms(use_true_random=False))
def test_once_the_store_has_told_all_a_sync_has_left_no_trace(
    services: Services, vault: Vault, history: list[tuple[object, ...]], chance: random.Random
) -> None:
    world, other = opened(services, vault), opened(services, vault)
    start = world.start
    other = replace(other, start=start)
    versions = [version(told, start) for told in history]
    told = shuffled(chance, [(one, is_quiet) for one in versions for is_quiet in (True, False)])

    say(world, told)
    say(other, [(one, False) for one in shuffled(chance, versions)])

    assert rows(world) == rows(other)
    for one in (world, other):
        work(one)
    assert begun(world) == begun(other)


@settings(max_examples=10, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(history=VERSIONS, chance=st.randoms(use_true_random=False))
def test_what_only_a_sync_told_begins_nothing(
    services: Services, vault: Vault, history: list[tuple[object, ...]], chance: random.Random
) -> None:
    world = opened(services, vault)
    versions = [version(told, world.start) for told in history]
    names = {one.platform_id for one in versions if chance.random() < 0.4}
    told = [(one, one.platform_id not in names) for one in shuffled(chance, versions)]
    say(world, told)
    work(world)

    live = [one for one, is_quiet in told if not is_quiet]
    count = begun(world)
    assert count["enrollments"] <= any(isinstance(one, Checkout) for one in live)
    assert count["grants"] <= len({one.platform_id for one in live if isinstance(one, Order)})
    assert count["messages"] == count["enrollments"]
    assert count["grant_mails"] <= count["grants"]
