"""
RL-125: switching off, uninstalling and unsubscribing stop what is queued, at whatever moment they come.
RL-126: an address that unsubscribed, or that a mail server refused for good, is never claimed again.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from connector.canonical import Channel
from connector.store import people, shops
from connector.store.sealed import Vault
from sync.services import Services
from tests.chaos.case import Case
from tests.chaos.merchant import sign_in
from tests.chaos.posts import signed_post
from tests.chaos.report import Row
from tests.chaos.sending import carts, witness
from tests.chaos.sending.acting import Act, act, deliver, turn_off, unsubscribe
from tests.chaos.sending.carts import Cart, MessageView
from tests.chaos.sending.witness import Note, Notes
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack
from tests.conftest import SEALING_KEY
from tests.sync.bodies import dump, template

MESSAGES, PAIRS = 1_000, 2_000
PER_SHOP = 10
KINDS = ("switch off", "unsubscribe", "uninstall", "lose access")
PER_SECOND = 45.0
AROUND = (-0.1, 0.4)
"""An act comes so many seconds after one of the messages that it stops falls due."""
LEAD = timedelta(seconds=3)
CLOSE = timedelta(milliseconds=50)
PATIENCE = 90.0
SETTINGS = {"track_commit_timestamp": "on"}


def run_stops(size: Size, seed: int, directory: Path) -> list[Row]:
    """
    A quarter of the shops is switched off, in a quarter every shopper unsubscribes, and half of them are paused: a quarter
    uninstalls, and the last quarter loses its access.
    """
    rng = random.Random(seed)
    count = size.count(MESSAGES, least=60)
    shop_count = max(len(KINDS), count // PER_SHOP)
    with Stack(directory, seed=seed, shops=shop_count, environment=carts.SHARP, postgres_settings=SETTINGS) as stack:
        _install_witness(stack)
        wanted = [(shop, f"p{n}@shop{shop.id}.example.com") for n in range(count // shop_count) for shop in stack.shops]
        told = carts.queue_ahead(stack, wanted, PER_SECOND)
        queued = _by_shop(stack)
        acts: list[Act] = []
        for place, shop in enumerate(stack.shops):
            acts += _acts_of(stack, shop, queued[shop.id], KINDS[place % len(KINDS)], rng)
        carts.step_to(stack.services(), told[0].due_at - LEAD)
        acting = act(stack, acts)
        wrong = acting.join(PATIENCE) + _wait(stack, told)
        row = Row("RL-125", "switched off, uninstalled, unsubscribed", len(told), acting.done, wrong, seed)
        return [_judge(stack, row, (_after_off, _after_leaving, _after_suppression))]


def _acts_of(stack: Stack, shop: SeededShop, queued: list[tuple[MessageView, datetime]], kind: str, rng: random.Random) -> list[Act]:
    if kind == "unsubscribe":
        return [Act(_near(due, rng), partial(unsubscribe, stack, message.unsubscribe_token)) for message, due in queued]
    at = _near(rng.choice(queued)[1], rng)
    if kind == "uninstall":
        farewell = signed_post(shop, "app/uninstalled", dump(template("shopify", "app_uninstalled__null_domains")))
        return [Act(at, partial(deliver, stack, farewell))]
    if kind == "lose access":
        return [Act(at, partial(_lose_access, stack.services(), shop.id))]
    return [Act(at, partial(turn_off, stack, sign_in(stack, shop.id), stack.one("select public_id from shops where id = %s", shop.id)))]


def _lose_access(services: Services, shop_id: int) -> str:
    """The platform accepts our credentials no longer."""
    with services.db.transaction(shop=shop_id) as session:
        shops.mark_access_lost(session, Vault([SEALING_KEY]), shop_id)
    return ""


def run_suppressed(size: Size, seed: int, directory: Path) -> list[Row]:
    """
    Pairs of a claim and a suppression of its address: half by our own link, a quarter by a bounce that is recorded meanwhile,
    a quarter by the mail server's refusal of one message while another to the same address is due.
    """
    rng = random.Random(seed)
    pairs = size.count(PAIRS, least=80)
    with Stack(directory, seed=seed, worker=2, shops=8, environment=carts.SHARP, postgres_settings=SETTINGS) as stack:
        refused = pairs // 4
        plain = pairs - refused
        dealt = [stack.shops[n % len(stack.shops)] for n in range(pairs)]
        _install_witness(stack)
        told = carts.queue_ahead(stack, [(shop, f"p{n}@example.com") for n, shop in enumerate(dealt[:plain])], PER_SECOND)
        queued = [pair for pairs_of_shop in _by_shop(stack).values() for pair in pairs_of_shop]
        acts = [Act(_near(due, rng), _suppression(stack, message, place)) for place, (message, due) in enumerate(queued)]
        carts.step_to(stack.services(), told[0].due_at - LEAD)
        acting = act(stack, acts)
        wrong = acting.join(PATIENCE) + _wait(stack, told)
        twice = [(shop, f"r{n}@example.com") for n, shop in enumerate(dealt[:refused]) for _ in range(2)]
        told = carts.queue_ahead(stack, twice, PER_SECOND)
        stack.sink.answer(550, times=len(told), words="5.1.1 no such mailbox")
        carts.step_to(stack.services(), told[0].due_at - LEAD)
        wrong += _wait(stack, told)
        row = Row("RL-126", "suppression racing the claim", pairs, acting.done + stack.sink.faults, wrong, seed)
        row = _judge(stack, row, (_after_suppression,))
        bounced = stack.one("select count(*) from suppressions where reason = 'bounced'")
        row.figures["suppressed by a refusal or a bounce"] = str(bounced)
        expected = len(range(0, plain, 3)) + refused
        if bounced != expected:
            row.violations.append(f"{bounced} addresses were suppressed by refusals and bounces instead of {expected}")
        return [row]


def _suppression(stack: Stack, message: MessageView, place: int) -> Callable[[], str]:
    if place % 3 == 0:
        return partial(_bounce, stack.services(), message)
    return partial(unsubscribe, stack, message.unsubscribe_token)


def _bounce(services: Services, message: MessageView) -> str:
    """A hard bounce is recorded, as `sync.send` records a refusal."""
    with services.db.transaction(shop=message.shop_id) as session:
        people.lock_address(session, services.vault, message.shop_id, Channel.EMAIL, message.address, shared=False)
        people.suppress(session, services.vault, message.shop_id, Channel.EMAIL, message.address, "bounced")
    return ""


def _near(due: datetime, rng: random.Random) -> datetime:
    return due + timedelta(seconds=rng.uniform(*AROUND))


def _install_witness(stack: Stack) -> None:
    with stack.connect() as connection:
        witness.install(connection)


def _by_shop(stack: Stack) -> dict[int, list[tuple[MessageView, datetime]]]:
    """What is queued, with its due times."""
    found: dict[int, list[tuple[MessageView, datetime]]] = {shop.id: [] for shop in stack.shops}
    with stack.connect() as connection:
        due = dict(connection.execute("select id, due_at from messages where state = 'queued'").fetchall())
        for message in carts.views(connection):
            if message.id in due:
                found[message.shop_id].append((message, due[message.id]))
    return found


def _wait(stack: Stack, told: list[Cart]) -> list[str]:
    """Wait until the last message has fallen due and nothing is due any more."""
    last = max(cart.due_at for cart in told)
    is_over = stack.wait_until(lambda: stack.now() > last, PATIENCE) and stack.wait_idle(PATIENCE)
    return [] if is_over else ["messages were still waiting long after the last one fell due"]


Check = Callable[[Stack, Notes, list[MessageView]], list[tuple[MessageView, Note]]]
"""Which messages should not have been claimed after what committed when."""


def _judge(stack: Stack, row: Row, checks: Iterable[Check]) -> Row:
    """Hold every claim against what stops it."""
    with stack.connect() as connection:
        notes, messages = witness.read(connection), carts.views(connection)
    claims = notes.last_by_subject("sending")
    close = 0
    for check in checks:
        for message, stop in check(stack, notes, messages):
            claim = claims.get(message.id)
            if claim is None:
                continue
            late = claim.committed_at - stop.committed_at
            close += abs(late) <= CLOSE
            if late > timedelta():
                row.violations.append(
                    f"{message.public_id} was claimed {late.total_seconds() * 1000:.1f} ms after “{stop.what}” had committed"
                )
    states = Counter(message.state for message in messages)
    row.violations += [f"a message is {state} in the end" for state in states if state not in ("sent", "cancelled", "refused")]
    row.violations += [f"{one.public_id} was cancelled without a reason" for one in messages if one.state == "cancelled" and not one.reason]
    row.figures |= {state: str(number) for state, number in sorted(states.items())}
    row.figures["claim and stop within 50 ms"] = str(close)
    if not states["cancelled"] or not claims:
        row.violations.append("claims and stops did not meet: nothing was proven")
    return row


def _after_off(stack: Stack, notes: Notes, messages: list[MessageView]) -> list[tuple[MessageView, Note]]:
    return _by_the_shop(notes.first_by_shop("off"), messages)


def _after_leaving(stack: Stack, notes: Notes, messages: list[MessageView]) -> list[tuple[MessageView, Note]]:
    return _by_the_shop(notes.first_by_shop("left"), messages)


def _by_the_shop(stops: dict[int, Note], messages: list[MessageView]) -> list[tuple[MessageView, Note]]:
    return [(message, stops[message.shop_id]) for message in messages if message.shop_id in stops]


def _after_suppression(stack: Stack, notes: Notes, messages: list[MessageView]) -> list[tuple[MessageView, Note]]:
    vault, stops = stack.services().vault, notes.first_by_hash()
    hashed = ((one, (one.shop_id, people.address_hash(vault, one.shop_id, Channel.EMAIL, one.address))) for one in messages)
    return [(message, stops[key]) for message, key in hashed if key in stops]


CASES = (
    Case("sending_stops", ("RL-125",), run_stops, seconds=9),
    Case("sending_suppressed", ("RL-126",), run_suppressed, seconds=18),
)
