"""RL-121: orders arrive at random moments around the due time; nothing is claimed once the order is known."""

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.posts import Post, order_post
from tests.chaos.report import Row, too_late
from tests.chaos.sending import carts, witness
from tests.chaos.sending.carts import Cart, MessageView
from tests.chaos.sending.witness import Note, Notes
from tests.chaos.sink import SmtpSink
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack

CARTS = 5_000
PER_SECOND = 60.0
AROUND = (-0.2, 0.5)
"""An order comes so many seconds after its cart falls due."""
WIDEST_SECONDS = 1.0
CLOSE = timedelta(milliseconds=50)
LEAD_SECONDS = 3.0
PATIENCE = 60.0
SHOPS = 4


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Carts fall due one after another while their orders come in; then every claim is compared with its order."""
    count = size.count(CARTS)
    rng = random.Random(seed)
    settings = {"track_commit_timestamp": "on"}
    with Stack(directory, seed=seed, worker=2, shops=SHOPS, environment=carts.SHARP, postgres_settings=settings) as stack:
        with stack.connect() as connection:
            witness.install(connection)
        wanted = [(stack.shops[n % SHOPS], f"p{n}@example.com") for n in range(count)]
        told = carts.queue_ahead(stack, wanted, PER_SECOND)
        driver = _fall_due(stack, told, rng)
        violations = [] if driver.join(count / PER_SECOND + PATIENCE) else ["the orders were not all posted in time"]
        if not stack.wait_idle(PATIENCE):
            violations.append("messages or deliveries were still waiting a minute after the last order")
        with stack.connect() as connection:
            notes, messages = witness.read(connection), carts.views(connection)
        violations += _unacknowledged(driver) + carts.doubles(stack.sink)
        return [_judge(messages, notes, stack.sink, Row("RL-121", "orders around the due time", count, count, violations, seed))]


def _fall_due(stack: Stack, told: list[Cart], rng: random.Random) -> Driver:
    """Move the clock to shortly before the first due time, and start the orders: each leaves near its own cart's due time."""
    shops = {shop.id: shop for shop in stack.shops}
    planned = sorted((cart.due_at + timedelta(seconds=rng.uniform(*AROUND)), number) for number, cart in enumerate(told))
    posts = iter([_order(shops[told[number].shop_id], number, told[number]) for _, number in planned])
    # They leave evenly, so that between the ends each is as far from its due time as was planned.
    begin = told[0].due_at + timedelta(seconds=sum(AROUND) / 2)
    carts.step_to(stack.services(), told[0].due_at - timedelta(seconds=LEAD_SECONDS))
    time.sleep(max(0.0, (begin - stack.now()).total_seconds()))
    return Driver(stack.live_ports, posts, PER_SECOND, len(planned), retries=3, rng=rng).start()


def _order(shop: SeededShop, number: int, cart: Cart) -> Post:
    return order_post(shop, number, token=cart.token, email=cart.email)


def _unacknowledged(driver: Driver) -> list[str]:
    missing = len(driver.ledger.expected) - len(driver.ledger.ok)
    return [f"{missing} orders were never acknowledged, and nobody spoilt the way"] if missing else []


def _judge(messages: list[MessageView], notes: Notes, sink: SmtpSink, row: Row) -> Row:
    orders = notes.first_by_subject("ordered")
    if len(messages) != row.trials:
        row.violations.append(f"of {row.trials} carts {len(messages)} have a message")
    if len(orders) != row.trials:
        row.violations.append(f"{row.trials} orders were posted and {len(orders)} became known")
    claims, wires = notes.last_by_subject("sending"), _wire_times(sink)
    inside, close = 0, 0
    widest = timedelta()
    for message in messages:
        claim, order = claims.get(message.id), orders.get(message.checkout_id)
        if claim is None or order is None:
            continue
        close += abs(claim.committed_at - order.committed_at) <= CLOSE
        if claim.committed_at > order.committed_at:
            row.violations.append(_late(message, claim, order))
        wire = wires.get(message.public_id)
        if wire is None:
            row.violations.append(f"{message.public_id} was claimed and never reached the mail server: it is {message.state}")
            continue
        widest = max(widest, wire - claim.committed_at)
        inside += claim.committed_at < order.committed_at < wire
    cancelled = sum(message.state == "cancelled" for message in messages)
    if widest >= timedelta(seconds=WIDEST_SECONDS):
        row.violations.append(too_late(f"the window from claim to wire was {widest.total_seconds():.2f} s wide"))
    row.figures |= {
        "sent before the order": str(len(claims)),
        "cancelled by it": str(cancelled),
        "order inside the window": str(inside),
        "widest window": f"{widest.total_seconds() * 1000:.0f} ms",
        "claim and order within 50 ms": str(close),
    }
    if not cancelled or not claims:
        row.violations.append("orders and claims did not meet: nothing was proven")
    return row


def _late(message: MessageView, claim: Note, order: Note) -> str:
    late = (claim.committed_at - order.committed_at).total_seconds() * 1000
    return f"{message.public_id} was claimed {late:.1f} ms after its order had committed"


def _wire_times(sink: SmtpSink) -> dict[str, datetime]:
    """When each message had left completely, on the clock of this machine, which is the database's too."""
    offset = time.time() - time.monotonic()
    return {mail.message_id.partition("@")[0]: datetime.fromtimestamp(mail.arrived_at + offset, UTC) for mail in sink.mails}


CASE = Case("sending_orders", ("RL-121",), run, alone=True, seconds=16)
