"""RL-122 for the mails of offers: a sending process is killed at seven points; nobody is told twice of an offer, nothing is hidden."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from connector.store.work import hold_inbox
from sync import apply
from sync.services import Services
from tests.chaos.case import Case
from tests.chaos.cases.sending_crash import ARRIVED, POINTS, Deaths, kill_everywhere
from tests.chaos.report import Row
from tests.chaos.sending import carts
from tests.chaos.sending.killable import Plan
from tests.chaos.size import Size
from tests.chaos.stack import Stack
from tests.factories import make_order
from tests.sync.offer_desk import OfferDesk

KILLS = 30
SHOPS = 8
MAILS_PER_KILL = 4


class MailDeaths(Deaths):
    """The same kills among processes that send the mails of offers."""

    def plan(self, shops: tuple[int, ...], point: str = "") -> Plan:
        """What a process does."""
        return replace(super().plan(shops, point), table="grant_mails")

    def taken(self, connection: psycopg.Connection[Any]) -> list[int]:
        """What was taken and not finished."""
        return [row[0] for row in connection.execute("select grant_id from grant_mails where state in ('sending', 'unknown')")]


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Everybody has bought and is given an offer; kill, then let leases run out and healthy processes finish, then days pass."""
    kills = size.count(KILLS, least=2)
    rng = random.Random(seed)
    with Stack(directory, seed=seed, web=0, worker=0, scheduler=0, shops=SHOPS) as stack:
        services, shops = stack.services(), [shop.id for shop in stack.shops]
        each = -(-kills * len(POINTS) * MAILS_PER_KILL // SHOPS)
        for shop in shops:
            _give_all(services, shop, each)
        deaths = MailDeaths(stack, directory)
        stack.sink.on_point = deaths.at_sink
        kill_everywhere(stack, services, deaths, kills, shops, rng)
        with stack.connect() as connection:
            found = connection.execute("select grant_id, public_id, state, reason, attempts from grant_mails").fetchall()
        violations = deaths.violations + _judge(found, deaths, stack, each * SHOPS)
        return [_row(found, deaths, stack, kills, seed, violations)]


def _give_all(services: Services, shop_id: int, people: int) -> None:
    """So many people of a shop buy something, and are given its offer."""
    desk = OfferDesk(services, shop_id)
    desk.hold_code()
    desk.publish()
    now = desk.now
    bought = [
        make_order(now, platform_id=f"o{number}", email=f"p{number}@shop{shop_id}.example.com", paid_at=now, placed_at=now)
        for number in range(people)
    ]
    with services.db.transaction(shop=shop_id) as session:
        shop = hold_inbox(session, shop_id)
        assert shop is not None
        batch = apply.Batch()
        batch.tell(bought)
        apply.save(session, services, shop, batch)
    desk.tend()


def _judge(found: list[tuple[Any, ...]], deaths: Deaths, stack: Stack, wanted: int) -> list[str]:
    """Killed before the claim, or after the record: sent, once. In between: unknown and said so, and never sent again."""
    seen = carts.arrivals(stack.sink)
    wrong = carts.doubles(stack.sink)
    if len(found) != wanted:
        wrong.append(f"{len(found)} mails for {wanted} grants")
    for grant, name, state, reason, attempts in found:
        point = deaths.stuck.get(grant, "")
        if point and (state, reason) != ("unknown", "unknown_outcome"):
            wrong.append(f"{name}, hit at {point}, is {state} ({reason}): not listed as unknown")
        elif not point and (state, seen[name]) != ("sent", 1):
            wrong.append(f"{name} is {state} ({reason}) and reached the mail server {seen[name]} times, though nobody died with it")
        if attempts != 1:
            wrong.append(f"{name} was tried {attempts} times")
    strangers = set(seen) - {name for _, name, *_ in found}
    wrong += [f"{name} reached the mail server and has no row" for name in strangers]
    for point, count in ARRIVED.items():
        hit = sum(1 for grant, name, *_ in found if deaths.stuck.get(grant) == point and seen[name] == count)
        if hit < deaths.hits[point]:
            wrong.append(f"of {deaths.hits[point]} kills at {point} only {hit} hit a mail of which {count} arrived: not the point meant")
    return wrong


def _row(found: list[tuple[Any, ...]], deaths: Deaths, stack: Stack, kills: int, seed: int, violations: list[str]) -> Row:
    states = Counter(state for _, _, state, *_ in found)
    figures = {
        "mails of offers sent": str(states["sent"]),
        "mails of offers unknown, listed": str(states["unknown"]),
    }
    return Row("RL-122", "killed in mid-send", kills * len(POINTS), deaths.hits.total(), violations, seed, figures)


CASE = Case("offer_mails_crash", ("RL-122",), run, seconds=15)
