"""
The outbox: messages are queued once, claimed in a transaction that looks at everything again, handed over, recorded.

Lock order everywhere: checkout, shop, automation, address, message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.messages.reminder import ReminderContent, ReminderLine
from connector.rules.automations import Reason
from connector.store.automation_tables import AutomationRow, MessageRow
from connector.store.db import app_now, run
from connector.store.tables import CheckoutRow, ShopRow
from connector.store.upserts import Fields, insert_new

LEASE = timedelta(minutes=6)
"""Longer than the slowest hand-over whose end is still heard: each command and the final answer have time-outs of their own."""
LOOK_LEASE = timedelta(minutes=3)
"""Longer than a store may take to answer what is asked of it before a message leaves."""


@dataclass(frozen=True, slots=True)
class Held:
    """Everything a claim looks at, locked until the transaction ends."""

    message: MessageRow
    checkout: CheckoutRow
    shop: ShopRow
    automation: AutomationRow


@dataclass(frozen=True, slots=True)
class LineView:
    """One line as a shopper sees it: the variant's picture, else the line's, else the product's (AC-61)."""

    title: str
    variant_title: str | None
    quantity: int
    unit_price: Any
    total: Any
    image_url: str | None
    description: str | None
    category: str | None
    product_id: str | None = None
    variant_id: str | None = None


def queue(session: Session, rows: Sequence[Fields]) -> None:
    """Queue messages; a second one for the same enrollment, step and channel is ignored by constraint."""
    insert_new(session, "messages", rows)


def cancel_queued(
    session: Session, shop_id: int, reason: Reason, *, checkout_ids: Sequence[int] | None = None, automation_id: int | None = None
) -> list[tuple[int, int]]:
    """Cancel queued messages of a shop, or only of some checkouts or one automation; returns (checkout, automation) pairs."""
    statement = text("""
        update messages set state = 'cancelled', reason = :reason, lease_until = null where id in (
            select id from messages where shop_id = :shop and state = 'queued'
              and (cast(:checkouts as bigint[]) is null or checkout_id = any(:checkouts))
              and (cast(:automation as bigint) is null or automation_id = :automation)
            order by id for update
        ) returning checkout_id, automation_id
    """)
    values = {
        "shop": shop_id,
        "reason": reason.value,
        "checkouts": None if checkout_ids is None else list(checkout_ids),
        "automation": automation_id,
    }
    return [(row[0], row[1]) for row in session.execute(statement, values)]


def cancel_for_address(session: Session, shop_id: int, channel: str, address: str, reason: Reason) -> list[tuple[int, int]]:
    """Cancel what is queued for one address; returns (checkout, automation) pairs."""
    statement = text("""
        update messages set state = 'cancelled', reason = :reason, lease_until = null where id in (
            select id from messages where shop_id = :shop and state = 'queued' and channel = :channel and lower(address) = lower(:address)
            order by id for update
        ) returning checkout_id, automation_id
    """)
    values = {"shop": shop_id, "channel": channel, "address": address, "reason": reason.value}
    return [(row[0], row[1]) for row in session.execute(statement, values)]


def shops_with_due(session: Session, limit: int) -> list[int]:
    """Shops that have messages to send, the longest waiting first."""
    statement = text("""
        select shop_id from messages
        where state = 'queued' and due_at <= app_now() and coalesce(lease_until, due_at) <= app_now()
        group by shop_id order by min(due_at) limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())


def hold_next(session: Session, shop_id: int) -> Held | None:
    """
    Lock the next due message of a shop and all that decides about it; None if there is nothing to do.

    The checkout is locked first: whoever applies an order locks it too, so an order is either seen here or commits after
    this claim.
    """
    found = run(session, _NEXT, {"shop": shop_id})
    return _hold(session, *found[0]) if found else None


def hold_again(session: Session, message_id: int, checkout_id: int) -> Held | None:
    """Lock a message that was let go while its store was asked, and all that decides about it; None if its checkout is gone."""
    found = run(session, "select 1 from checkouts where id = %(id)s for update", {"id": checkout_id})
    return _hold(session, message_id, checkout_id) if found else None


def still_queued(session: Session, message: MessageRow, lease: datetime | None = None) -> bool:
    """
    Lock the message itself, last; false if it was cancelled, postponed or taken since it was looked at.

    `lease`: until when it is ours, None if it should be nobody's.
    """
    session.refresh(message, with_for_update=True)
    if message.state != "queued":
        return False
    return message.lease_until == lease if lease is not None else message.lease_until is None or message.lease_until <= app_now(session)


def mark_looked_at(message: MessageRow, now: datetime) -> datetime:
    """Nobody else takes it while its store is asked; who dies meanwhile leaves it to the next one. Returns until when."""
    message.lease_until = now + LOOK_LEASE
    return message.lease_until


def mark_sending(message: MessageRow, now: datetime) -> None:
    """Claim: from here on it is never sent by anyone else."""
    message.state, message.attempts, message.lease_until = "sending", message.attempts + 1, now + LEASE


def record(session: Session, message_id: int, attempt: int, **values: Any) -> bool:
    """
    Write how a hand-over ended; false if this attempt no longer holds the claim (its lease ran out).
    """
    sets = ", ".join(f"{name} = %({name})s" for name in values)
    statement = f"""
        update messages set lease_until = null, {sets} where id = %(id)s and state = 'sending' and attempts = %(attempt)s returning id
    """
    return bool(run(session, statement, {"id": message_id, "attempt": attempt, **values}))


def expire_leases(session: Session) -> list[tuple[int, int, int]]:
    """
    Messages whose sender vanished in mid-send: unknown, shown as such, never sent again by themselves.

    Returns (shop, checkout, automation).
    """
    statement = text("""
        update messages set state = 'unknown', reason = :reason, lease_until = null where id in (
            select id from messages where state = 'sending' and lease_until < app_now() order by id for update skip locked
        ) returning shop_id, checkout_id, automation_id
    """)
    return [(row[0], row[1], row[2]) for row in session.execute(statement, {"reason": Reason.UNKNOWN_OUTCOME.value})]


def load_lines(session: Session, checkout_id: int) -> list[LineView]:
    """The lines of a checkout with what the products add, in the shopper's order."""
    return [LineView(*row) for row in run(session, _LINES, {"checkout": checkout_id})]


def reminder_content(
    shop: ShopRow, checkout: CheckoutRow, lines: Sequence[LineView], extra_text: str | None, *, link_url: str, unsubscribe_url: str
) -> ReminderContent:
    """What the reminder about a checkout says: the one that is sent, and the one that a merchant previews."""
    return ReminderContent(
        shop_name=shop.name,
        shop_contact=shop_contact(shop),
        language=checkout.language or shop.language or "en",
        currency=checkout.currency,
        first_name=checkout.first_name,
        lines=tuple(_reminder_line(line) for line in lines),
        total=checkout.total,
        link_url=link_url,
        unsubscribe_url=unsubscribe_url,
        extra_text=extra_text,
    )


def shop_contact(shop: ShopRow) -> tuple[str, ...]:
    """Who sends, as every message must say."""
    return tuple(text for text in (shop.name, shop.contact_address, shop.contact_email) if text)


def _hold(session: Session, message_id: int, checkout_id: int) -> Held:
    """The checkout is locked already; shop and automation are locked in this order, and nobody changes them meanwhile."""
    wanted = (
        select(MessageRow, CheckoutRow, ShopRow, AutomationRow)
        .where(col(MessageRow.id) == message_id, col(CheckoutRow.id) == checkout_id, col(MessageRow.checkout_id) == col(CheckoutRow.id))
        .where(col(ShopRow.id) == col(MessageRow.shop_id), col(AutomationRow.id) == col(MessageRow.automation_id))
        .with_for_update(read=True, of=[ShopRow, AutomationRow])
        .execution_options(populate_existing=True)
    )
    message, checkout, shop, automation = session.execute(wanted).one()
    return Held(message, checkout, shop, automation)


def _reminder_line(line: LineView) -> ReminderLine:
    return ReminderLine(
        title=line.title,
        variant_title=line.variant_title,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
        image_url=line.image_url,
        description=line.description,
    )


def find_by_link(session: Session, link_token: str) -> MessageRow | None:
    """The message whose "Complete order" link this is."""
    return session.scalars(select(MessageRow).where(col(MessageRow.link_token) == link_token)).one_or_none()


def find_by_unsubscribe(session: Session, unsubscribe_token: str) -> MessageRow | None:
    """The message whose unsubscribe link this is."""
    return session.scalars(select(MessageRow).where(col(MessageRow.unsubscribe_token) == unsubscribe_token)).one_or_none()


_NEXT = """
select m.id, m.checkout_id from messages m join checkouts c on c.id = m.checkout_id
where m.shop_id = %(shop)s and m.state = 'queued' and m.due_at <= app_now()
  and (m.lease_until is null or m.lease_until <= app_now())
order by m.due_at, m.id limit 1 for update of c skip locked
"""
_LINES = """
select l.title, l.variant_title, l.quantity, l.unit_price, l.total,
       coalesce(v.image_url, l.image_url, p.image_url) image_url, p.description, p.category, l.product_id, l.variant_id
from checkout_lines l
left join products p on p.shop_id = l.shop_id and p.platform_id = l.product_id
left join product_variants v on v.shop_id = l.shop_id and v.platform_id = l.variant_id
where l.checkout_id = %(checkout)s order by l.position
"""
