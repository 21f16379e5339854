"""
RL-141: one shop with 50,000 deliveries and 5,000 e-mails at once; 25 others, each with one of both a second, hardly notice.

Dwell is from a delivery's arrival to its being applied, by the database's clock; lateness is from the instant at which a
message was due to its arrival at the mail server. What the quiet shops feel without the noisy one is measured first.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.store.db import app_now
from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.posts import Post, checkout_post
from tests.chaos.report import Row, too_late
from tests.chaos.sending import carts
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack
from tests.sync import bodies

NOISE = 50_000
MAILS = 5_000
SECONDS = 225.0
QUIET_SECONDS = 20.0
OTHERS = 25
MOST_SECONDS = 5.0
REST_SECONDS = 60.0
MIXED_UP = timedelta(seconds=1)


@dataclass
class Figures:
    """What was measured, and what is wrong with it."""

    violations: list[str] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)

    def judge(self, what: str, times: Sequence[float], expected: int, bound: float) -> None:
        """Note the p95 of these times and hold it against its bound. Too few of them are a violation too."""
        p95 = percentile(times, 0.95)
        self.shown[f"p95 {what}"] = f"{p95:.2f} s of {len(times)}"
        if len(times) < expected:
            self.violations.append(f"{what}: {len(times)} of {expected} came through")
        if p95 > bound:
            self.violations.append(too_late(f"p95 of the others' {what} is {p95:.2f} s, more than {bound:.2f} s"))


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """A quiet time, then the noise, and the same quiet load all along."""
    quiet, loud = size.seconds(QUIET_SECONDS, least=8.0), size.seconds(SECONDS, least=20.0)
    found = Figures()
    with Stack(directory, seed=seed, worker=2, shops=1 + OTHERS, start=False) as stack:
        start(stack)
        noisy, others = stack.shops[0], stack.shops[1:]
        begin = prepare(stack, noisy, others, quiet, loud, size.count(MAILS, least=500))
        to_monotonic = time.monotonic() - stack.now().timestamp()
        driver = Driver(stack.ports, calm_posts(others), float(OTHERS), int(OTHERS * (quiet + loud)))
        time.sleep(max(0.0, begin.timestamp() + to_monotonic - time.monotonic()))
        driver.start()
        time.sleep(quiet)
        noise = size.count(NOISE, least=5_000)
        flood(stack, noisy, noise)
        flooded_at = stack.now()
        driver.join(loud + 30)
        ended_at = stack.now()
        backlog = left(stack, noisy)
        # The last ones fall due at the very end: with nothing in hand, they may just not have been noticed.
        mails = OTHERS * int(quiet + loud)
        stack.wait_until(lambda: at_rest(stack, others) and _sent(stack, others) >= mails, REST_SECONDS)
        judge_deliveries(stack, driver, found, flooded_at)
        judge_mails(stack, others, found, begin, flooded_at, quiet, loud, to_monotonic)
        busy = busy_until(stack, noisy) - flooded_at
        found.shown |= {"noise": f"{noise} deliveries", "left at the end": str(backlog)}
        found.shown["noisy for"] = f"{min(busy, ended_at - flooded_at).total_seconds():.0f} s"
        if busy < timedelta(seconds=min(2.0, loud / 10)):
            found.violations.append("the noise was over at once: it proves nothing")
    title = "one shop's flood of deliveries and mails starves nobody"
    return [Row("RL-141", title, int(OTHERS * loud), noise, found.violations, seed, found.shown)]


def start(stack: Stack) -> None:
    """The roles, when every shop's one product is known, as a living shop's products are."""
    know_products(stack)
    for role in stack.roles:
        role.start()
    stack.wait_ready()


def know_products(stack: Stack) -> None:
    """The one product that every shop sells."""
    with stack.connect() as connection:
        connection.execute("""
            insert into products (public_id, shop_id, platform_id, title, is_deleted, read_at, source_version)
            select 'prd_' || id, id, '1010', 'Vase', false, app_now(), app_now() from shops
        """)


def prepare(stack: Stack, noisy: SeededShop, others: Sequence[SeededShop], quiet: float, loud: float, mails: int) -> datetime:
    """
    Carts whose messages fall due later; returns the instant at which the quiet time begins.

    One of each other shop a second, quiet and loud; all of the noisy shop's at the moment of the flood.
    """
    services = stack.services()
    seconds = int(quiet + loud)
    count = mails + len(others) * seconds
    with services.db.system_transaction("when the case begins") as session:
        begin = app_now(session) + timedelta(seconds=10 + count / 400)
    left_at = begin - carts.THRESHOLD
    for number, shop in enumerate(others):
        offset = timedelta(seconds=number / len(others))
        carts.start(services, shop, [(f"calm-{n}", mail_of(shop, n), left_at + offset + timedelta(seconds=n)) for n in range(seconds)])
    at_flood = left_at + timedelta(seconds=quiet)
    carts.start(services, noisy, [(f"loud-{n}", mail_of(noisy, n), at_flood) for n in range(mails)])
    return begin


def mail_of(shop: SeededShop, number: int) -> str:
    """An address that tells whose message it is, and which."""
    return f"p{number}@shop{shop.id}.example.com"


def calm_posts(others: Sequence[SeededShop]) -> "itertools.chain[Post]":
    """One delivery of each shop after the other."""
    return itertools.chain.from_iterable((checkout_post(shop, n, token=f"d{n}") for shop in others) for n in itertools.count())


def flood(stack: Stack, shop: SeededShop, count: int) -> None:
    """So many deliveries at once, as if the door had just kept them in one commit; nobody rings for them."""
    body = bodies.shopify_checkout("TOKEN", datetime.now(UTC), email="flood@example.com").decode()
    with stack.connect() as connection:
        connection.execute(
            """
            with kept as (
                insert into deliveries (key, shop_id, platform, topic, received_at, received_on)
                select sha256(('flood' || n)::bytea), %s, 'shopify', 'checkouts/update', t.at, (t.at at time zone 'UTC')::date
                from generate_series(1, %s) n, (select app_now() as at) t returning id, shop_id, received_on
            )
            insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
            select received_on, id, shop_id, '', convert_to(replace(%s, 'TOKEN', 'flood-' || id), 'UTF8') from kept
            """,
            [shop.id, count, body],
        )


def judge_deliveries(stack: Stack, driver: Driver, found: Figures, flooded_at: datetime) -> None:
    """Dwell before and after the flood."""
    lost = [one for one in driver.ledger.attempts if one.outcome != "ok"]
    if lost:
        found.violations.append(f"{len(lost)} deliveries of the others were not acknowledged")
    with stack.connect() as connection:
        rows = connection.execute(
            "select received_at, extract(epoch from handled_at - received_at)::float from deliveries"
            " where key = any(%s) and handled_at is not null",
            [list(driver.ledger.ok)],
        ).fetchall()
    calm = [dwell for at, dwell in rows if at < flooded_at - MIXED_UP]
    loud = [dwell for at, dwell in rows if at >= flooded_at - MIXED_UP]
    baseline = percentile(calm, 0.95)
    found.shown["p95 dwell quiet"] = f"{baseline:.2f} s of {len(calm)}"
    found.judge("dwell", loud, len(driver.ledger.ok) - len(calm), max(MOST_SECONDS, 2 * baseline))


def judge_mails(
    stack: Stack,
    others: Sequence[SeededShop],
    found: Figures,
    begin: datetime,
    flooded_at: datetime,
    quiet: float,
    loud: float,
    to_monotonic: float,
) -> None:
    """Lateness of the others' messages after the flood."""
    arrived = {mail.recipient: mail.arrived_at for mail in list(stack.sink.mails)}
    due: dict[str, float] = {}
    calm: list[float] = []
    for number, shop in enumerate(others):
        for n in range(int(quiet + loud)):
            at, address = begin + timedelta(seconds=n + number / len(others)), mail_of(shop, n)
            due_at = at.timestamp() + to_monotonic
            if at >= flooded_at - MIXED_UP:
                due[address] = due_at
            elif address in arrived:
                calm.append(arrived[address] - due_at)
    late = [arrived[address] - at for address, at in due.items() if address in arrived]
    found.shown["p95 mail lateness quiet"] = f"{percentile(calm, 0.95):.2f} s of {len(calm)}"
    found.judge("mail lateness", late, len(due), MOST_SECONDS)
    found.shown["mails in all"] = str(stack.sink.count)


def at_rest(stack: Stack, others: Sequence[SeededShop]) -> bool:
    """True once nothing of the others waits; the noisy shop may still be busy."""
    ids = [shop.id for shop in others]
    return not stack.one(
        "select exists (select 1 from deliveries where state = 'pending' and shop_id = any(%s))"
        " or exists (select 1 from messages where state in ('queued', 'sending') and due_at <= app_now() and shop_id = any(%s))",
        ids,
        ids,
    )


def _sent(stack: Stack, shops: Sequence[SeededShop]) -> int:
    return int(stack.one("select count(*) from messages where state = 'sent' and shop_id = any(%s)", [shop.id for shop in shops]))


def left(stack: Stack, shop: SeededShop) -> int:
    """What still waits of a shop's deliveries and messages."""
    return int(
        stack.one(
            "select (select count(*) from deliveries where state = 'pending' and shop_id = %s)"
            " + (select count(*) from messages where state in ('queued', 'sending') and due_at <= app_now() and shop_id = %s)",
            shop.id,
            shop.id,
        )
    )


def busy_until(stack: Stack, shop: SeededShop) -> datetime:
    """When the last of a shop's deliveries was applied; now, if some still wait."""
    at: datetime = stack.one("select max(coalesce(handled_at, app_now())) from deliveries where shop_id = %s", shop.id)
    return at


def percentile(times: Sequence[float], share: float) -> float:
    """The time within which this share of them lies; 0 without any."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


CASE = Case("fairness", ("RL-141",), run, alone=True, seconds=56)
