"""Carts that fall due when the case says so, and what became of their messages."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import psycopg
from sqlalchemy import text

from connector.store import clock
from connector.store.db import app_now
from sync import abandon, apply
from sync.services import Services
from tests.chaos.sink import SmtpSink
from tests.chaos.stack import Stack
from tests.conftest import TestShop
from tests.sync.bodies import shopify_checkout
from tests.sync.world import Arrival, keep

THRESHOLD = timedelta(minutes=60)
"""A fresh shop's: so long after its last activity a cart is abandoned, and with it its message is due."""
WAIT_MINUTES = 30
"""Between abandonment and message for `queue_ahead`."""
QUEUE_SECONDS = 60.0
SHARP = {"TICK_SECONDS": "0.05"}
"""Environment of a stack whose claims follow due times closely, so that what happens around them meets them."""
_CHUNK = 500


class HasId(Protocol):
    """A shop of any kind."""

    @property
    def id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Cart:
    """One cart whose message is due at `due_at` (the database's virtual clock) unless something happens before."""

    shop_id: int
    token: str
    email: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message row with its cart's token and the current Decision."""

    id: int
    public_id: str
    shop_id: int
    checkout_id: int
    token: str
    address: str
    state: str
    reason: str | None
    attempts: int
    decision: str | None
    unsubscribe_token: str


def now(services: Services) -> datetime:
    """The database's instant."""
    with services.db.system_transaction("a case reads the clock") as session:
        return app_now(session)


def step(services: Services, by: timedelta) -> None:
    """Move the sandbox's clock on."""
    with services.db.system_transaction("a case moves the clock") as session:
        clock.step_to(session, app_now(session) + by)


def step_to(services: Services, instant: datetime) -> None:
    """Move the sandbox's clock on to an instant; never back."""
    with services.db.system_transaction("a case moves the clock") as session:
        clock.step_to(session, instant)


def start(services: Services, shop: HasId, carts: Sequence[tuple[str, str, datetime]]) -> list[Cart]:
    """
    Carts begin in a shop, through its inbox: (token, e-mail, last activity) each. They fall due `THRESHOLD` after that.

    Whoever else drains the inbox meanwhile helps.
    """
    inbox = TestShop(shop.id, "shopify", "", "", "")
    for begin in range(0, len(carts), _CHUNK):
        arrivals = [
            Arrival("checkouts/update", shopify_checkout(token, at, email=email)) for token, email, at in carts[begin : begin + _CHUNK]
        ]
        keep(services.db, inbox, arrivals)
        while apply.drain(services, shop.id):
            pass
    return [Cart(shop.id, token, email, at + THRESHOLD) for token, email, at in carts]


def queue_ahead(stack: Stack, wanted: Sequence[tuple[HasId, str]], per_second: float) -> list[Cart]:
    """
    Queue a message to each of these people, in this order, so many a second, half an hour before they fall due.

    So every message exists, with its links, when the case begins; it begins by moving the clock on to the first due time.
    """
    with stack.connect() as connection:
        connection.execute("update automations set wait_minutes = %s", [WAIT_MINUTES])
    services, begin = stack.services(), stack.now()
    begun: dict[int, list[tuple[str, str, datetime]]] = {shop.id: [] for shop in stack.shops}
    last = begin
    for number, (shop, email) in enumerate(wanted):
        last = begin + timedelta(seconds=number / per_second)
        begun[shop.id].append((f"t{int(begin.timestamp())}-{number}", email, last))
    queued = [cart for shop in stack.shops for cart in start(services, shop, begun[shop.id])]
    step_to(services, last + THRESHOLD)
    queue_due(services, begun)
    # The stack's own workers may have part of it in hand.
    assert stack.wait_until(lambda: stack.waiting().checkouts == 0 == stack.waiting().deliveries, QUEUE_SECONDS), "carts were not queued"
    wait = timedelta(minutes=WAIT_MINUTES)
    return sorted((replace(cart, due_at=cart.due_at + wait) for cart in queued), key=lambda cart: cart.due_at)


def queue_due(services: Services, shop_ids: Iterable[int]) -> None:
    """Have what is due marked as abandoned, so that its messages are queued."""
    for shop_id in shop_ids:
        while abandon.mark_abandoned(services, shop_id):
            pass


def views(connection: psycopg.Connection) -> list[MessageView]:
    """All messages."""
    rows = connection.execute("""
        select m.id, m.public_id, m.shop_id, m.checkout_id, c.token, m.address, m.state, m.reason, m.attempts, d.reason,
               m.unsubscribe_token
        from messages m join checkouts c on c.id = m.checkout_id
        left join decisions d on d.checkout_id = m.checkout_id and d.automation_id = m.automation_id order by m.id
    """)
    return [MessageView(*row) for row in rows]


def arrivals(sink: SmtpSink) -> Counter[str]:
    """How often each message reached the sink completely, by the message's public id."""
    return Counter(mail.message_id.partition("@")[0] for mail in sink.mails)


def doubles(sink: SmtpSink) -> list[str]:
    """Messages, or people with one cart each, that the sink saw more than once."""
    by_message = [f"message {name} reached the sink {count} times" for name, count in arrivals(sink).items() if count > 1]
    people = Counter(mail.recipient for mail in sink.mails)
    return by_message + [f"{count} messages reached {person}, who has one cart" for person, count in people.items() if count > 1]


def count(services: Services, condition: str) -> int:
    """How many messages fulfil an SQL condition."""
    with services.db.engine.connect() as connection:
        return int(connection.execute(text(f"select count(*) from messages where {condition}")).scalar_one())
