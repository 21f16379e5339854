"""Automations: their switch, who is enrolled, and the Decisions that say why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import Channel
from connector.errors import NotFound
from connector.rules.automations import AutomationFacts, Reason
from connector.store import audit, outgoing
from connector.store.audit import Actor
from connector.store.automation_tables import AutomationRow
from connector.store.db import app_now, run
from connector.store.ids import public_id, token
from connector.store.tables import ShopRow
from connector.store.upserts import as_json


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision to write."""

    checkout_id: int
    automation_id: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One enrollment with the message of its step."""

    checkout_id: int
    address: str
    due_at: datetime


def list_automations(session: Session, shop_id: int, *, lock: bool = False) -> Sequence[AutomationRow]:
    """The automations of a shop. With `lock` none of them can be switched until the transaction ends."""
    statement = select(AutomationRow).where(col(AutomationRow.shop_id) == shop_id).order_by(col(AutomationRow.id))
    return session.scalars(statement.with_for_update(read=True).execution_options(populate_existing=True) if lock else statement).all()


def automation_facts(row: AutomationRow) -> AutomationFacts:
    """An automation as the rules see it."""
    return AutomationFacts(is_on=row.is_on, activated_at=row.activated_at, wait_minutes=row.wait_minutes)


def get_automation(session: Session, shop_id: int, *, lock: bool = False) -> AutomationRow:
    """The shop's abandoned-checkout automation. Raises NotFound."""
    statement = select(AutomationRow).where(col(AutomationRow.shop_id) == shop_id, col(AutomationRow.trigger) == "abandoned_checkout")
    row = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound(f"shop {shop_id} has no abandoned-checkout automation")
    return row


def turn_on(session: Session, shop: ShopRow, actor: Actor) -> None:
    """
    Switch the abandoned-checkout automation on. Its activation time is stored: checkouts abandoned before never count
    (SQ-13); turning it on again restarts that time. Turning on what is on changes nothing.
    """
    assert shop.id is not None
    automation = get_automation(session, shop.id, lock=True)
    if automation.is_on:
        return
    automation.is_on, automation.activated_at = True, app_now(session)
    audit.write(session, actor, "automation.on", account_id=shop.account_id, shop_id=shop.id, object=automation.public_id)


def turn_off(session: Session, shop: ShopRow, actor: Actor) -> int:
    """Switch it off and cancel everything queued, with the reason (SQ-20, SQ-21); returns how many were cancelled."""
    assert shop.id is not None
    automation = get_automation(session, shop.id, lock=True)
    if not automation.is_on or automation.id is None:
        return 0
    automation.is_on, automation.deactivated_at = False, app_now(session)
    session.flush()
    audit.write(session, actor, "automation.off", account_id=shop.account_id, shop_id=shop.id, object=automation.public_id)
    cancelled = outgoing.cancel_queued(session, shop.id, Reason.AUTOMATION_OFF, automation_id=automation.id)
    decide(session, shop.id, [Decided(checkout_id, automation.id, Reason.AUTOMATION_OFF) for checkout_id, _ in cancelled])
    return len(cancelled)


def enroll(session: Session, shop_id: int, automation_id: int, messages: Sequence[NewMessage]) -> int:
    """Enrol checkouts with one queued e-mail each; a checkout enrolled before is left alone (AC-05). Returns how many are new."""
    if not messages:
        return 0
    rows = [{"public_id": public_id("enr"), "checkout_id": m.checkout_id} for m in messages]
    statement = text("""
        insert into enrollments (public_id, shop_id, checkout_id, automation_id, enrolled_at)
        select r.public_id, :shop, r.checkout_id, :automation, app_now()
        from jsonb_populate_recordset(null::enrollments, cast(:rows as jsonb)) r
        on conflict (checkout_id, automation_id) do nothing returning checkout_id, id, enrolled_at
    """)
    new = {row[0]: row for row in session.execute(statement, {"shop": shop_id, "automation": automation_id, "rows": as_json(rows)})}
    queued = [
        {
            "public_id": public_id("msg"),
            "shop_id": shop_id,
            "enrollment_id": new[m.checkout_id][1],
            "checkout_id": m.checkout_id,
            "automation_id": automation_id,
            "step": 1,
            "channel": Channel.EMAIL,
            "address": m.address,
            "state": "queued",
            "queued_at": new[m.checkout_id][2],
            "due_at": m.due_at,
            "attempts": 0,
            "link_token": token(),
            "unsubscribe_token": token(),
        }
        for m in messages
        if m.checkout_id in new
    ]
    outgoing.queue(session, queued)
    return len(queued)


def decide(session: Session, shop_id: int, decided: Iterable[Decided]) -> None:
    """Write current Decisions with the last 20 kept; the same reason again is not a new decision."""
    rows = {
        (d.checkout_id, d.automation_id): {"checkout_id": d.checkout_id, "automation_id": d.automation_id, "reason": d.reason}
        for d in decided
    }
    if not rows:
        return
    run(session, _DECIDE, {"shop": shop_id, "rows": as_json(list(rows.values()))})


def decide_disconnected(session: Session, shop_id: int) -> int:
    """Cancel everything that a shop has queued, for it is connected no more; returns how many were cancelled."""
    list_automations(session, shop_id, lock=True)
    cancelled = outgoing.cancel_queued(session, shop_id, Reason.SHOP_DISCONNECTED)
    decide(session, shop_id, [Decided(checkout, automation, Reason.SHOP_DISCONNECTED) for checkout, automation in cancelled])
    return len(cancelled)


def decide_ended(session: Session, shop_id: int, checkout_ids: Sequence[int], reason: Reason) -> int:
    """
    Say why nothing (more) is sent for checkouts that ended: queued messages are cancelled, and every automation that is on
    gets its Decision, unless its message already left. Checkouts without an e-mail get none: that is computed on reading.

    Returns how many messages were cancelled.
    """
    if not checkout_ids:
        return 0
    list_automations(session, shop_id, lock=True)  # a switch-off locks the same messages: they must take turns
    cancelled = outgoing.cancel_queued(session, shop_id, reason, checkout_ids=checkout_ids)
    statement = text("""
        select c.id, a.id from checkouts c join automations a on a.shop_id = c.shop_id and a.is_on
        where c.shop_id = :shop and c.id = any(:ids) and c.email_norm is not null
          and not exists (select 1 from messages m where m.checkout_id = c.id and m.automation_id = a.id
                          and m.state in ('sending', 'sent', 'unknown', 'refused'))
    """)
    pairs: set[tuple[Any, Any]] = {(row[0], row[1]) for row in session.execute(statement, {"shop": shop_id, "ids": list(checkout_ids)})}
    decide(session, shop_id, [Decided(checkout, automation, reason) for checkout, automation in sorted(pairs | set(cancelled))])
    return len(cancelled)


_DECIDE = """
insert into decisions (checkout_id, automation_id, shop_id, reason, decided_at, history)
select r.checkout_id, r.automation_id, %(shop)s, r.reason, n.at,
       jsonb_build_array(jsonb_build_object('reason', r.reason, 'at', n.at))
from jsonb_populate_recordset(null::decisions, cast(%(rows)s as jsonb)) r, (select app_now() at) n
order by r.checkout_id, r.automation_id
on conflict (checkout_id, automation_id) do update set
    reason = excluded.reason, decided_at = excluded.decided_at,
    history = jsonb_path_query_array(excluded.history || decisions.history, '$[0 to 19]')
where decisions.reason <> excluded.reason
"""
