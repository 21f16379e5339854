"""
The e-mails of grants: one each, queued with it, claimed in a transaction that looks at everything again, handed over, recorded.

Lock order: shop, grant, offer, order, address, mail. Whoever decides about offers locks them the other way round, so a claim never
waits for grant, offer or order: what somebody holds is left for the next time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.rules.grant_mails import TAKEN_BACK, MailReason
from connector.store.db import wake_after_commit
from connector.store.ids import public_id, token
from connector.store.offer_tables import GrantMailRow, GrantRow, OfferRow
from connector.store.outgoing import LEASE
from connector.store.tables import ShopRow

JOB = "send_offers"


@dataclass(frozen=True, slots=True)
class HeldMail:
    """Everything that a claim looks at, locked until the transaction ends; the mail itself is locked last, see `still_queued`."""

    mail: GrantMailRow
    grant: GrantRow
    offer: OfferRow
    shop: ShopRow


def queue(session: Session, grant: GrantRow) -> bool:
    """Queue the one mail of a grant that has an address, and ring for it; false if there is one already, or none to write to."""
    if grant.email is None:
        return False
    values = {
        "grant": grant.id,
        "public_id": public_id("gml"),
        "shop": grant.shop_id,
        "address": grant.email,
        "token": token(),
    }
    is_new = session.execute(_QUEUE, values).scalar() is not None
    if is_new:
        wake_after_commit(session, JOB, grant.shop_id)
    return is_new


def cancel(session: Session, grant_ids: Collection[int], reason: str) -> int:
    """What is queued for these grants is not sent; what is being handed over cannot be taken back. Returns how many."""
    if not grant_ids:
        return 0
    return len(session.execute(_CANCEL, {"grants": sorted(grant_ids), "reason": reason}).all())


def requeue(session: Session, grant_id: int) -> bool:
    """Its grant is live again: what was cancelled because its order was taken back, and never left, is queued again."""
    statement = text("""
        update grant_mails set state = 'queued', reason = null, queued_at = app_now(), due_at = app_now()
        where grant_id = :grant and state = 'cancelled' and reason = any(:reasons) returning shop_id
    """)
    values = {"grant": grant_id, "reasons": sorted(reason.value for reason in TAKEN_BACK)}
    shop_id = session.execute(statement, values).scalar()
    if shop_id is not None:
        wake_after_commit(session, JOB, shop_id)
    return shop_id is not None


def cancel_for_address(session: Session, shop_id: int, address: str, reason: str = MailReason.SUPPRESSED.value) -> int:
    """Cancel what is queued for one address of a shop's shoppers; returns how many."""
    statement = text("""
        update grant_mails set state = 'cancelled', reason = :reason, lease_until = null where grant_id in (
            select grant_id from grant_mails where shop_id = :shop and state = 'queued' and lower(address) = lower(:address)
            order by grant_id for update
        ) returning 1
    """)
    return len(session.execute(statement, {"shop": shop_id, "address": address, "reason": reason}).all())


def has_due(session: Session, shop_id: int) -> bool:
    """Whether a mail of the shop can leave now."""
    statement = "select exists (select 1 from grant_mails where shop_id = :shop and state = 'queued' and due_at <= app_now())"
    return bool(session.execute(text(statement), {"shop": shop_id}).scalar_one())


def shops_with_due(session: Session, limit: int) -> list[int]:
    """Shops with mails of grants to send, the longest waiting first."""
    statement = text("""
        select shop_id from grant_mails where state = 'queued' and due_at <= app_now()
        group by shop_id order by min(due_at), shop_id limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())


def hold_next(session: Session, shop_id: int) -> HeldMail | None:
    """
    Lock the shop's next due mail's grant, offer and shop; None if none is due, or what is due is somebody else's at this moment. Of a
    purchase that changed since, it is first seen whether it still earns the offer.

    Whoever takes an order back, suspends an offer or disconnects the shop changes one of these rows: that is either seen here or
    commits after this claim.
    """
    shop = session.scalars(select(ShopRow).where(col(ShopRow.id) == shop_id).with_for_update(read=True)).one()
    found = session.execute(_CANDIDATE, {"shop": shop_id}).one_or_none()
    if found is None:
        return None
    grant = session.get_one(GrantRow, found.grant_id)
    offer = session.scalars(select(OfferRow).where(col(OfferRow.id) == grant.offer_id).with_for_update(read=True, skip_locked=True)).first()
    if not _is_order_judged(session, grant.order_id):
        return None
    mail = session.get(GrantMailRow, found.grant_id)
    # Without a mail its person was erased at this very moment.
    return None if offer is None or mail is None else HeldMail(mail, grant, offer, shop)


def still_queued(session: Session, mail: GrantMailRow) -> bool:
    """Lock the mail itself, last; false if it was cancelled, taken or erased since it was looked at."""
    statement = select(GrantMailRow).where(col(GrantMailRow.grant_id) == mail.grant_id).with_for_update()
    held = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    return held is not None and held.state == "queued"


def mark_sending(mail: GrantMailRow, now: datetime) -> None:
    """Claim: from here on it is never sent by anyone else."""
    mail.state, mail.attempts, mail.lease_until = "sending", mail.attempts + 1, now + LEASE


def record(session: Session, grant_id: int, attempt: int, **values: Any) -> bool:
    """Write how a hand-over ended; false if this attempt no longer holds the claim (its lease ran out)."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    statement = text(f"""
        update grant_mails set lease_until = null, {sets} where grant_id = :grant and state = 'sending' and attempts = :attempt returning 1
    """)
    return session.execute(statement, {"grant": grant_id, "attempt": attempt, **values}).scalar() is not None


def expire_leases(session: Session) -> int:
    """Mails whose worker vanished in mid-send: unknown, shown as such, never sent again by themselves. Returns how many."""
    statement = text("""
        update grant_mails set state = 'unknown', reason = :reason, lease_until = null where grant_id in (
            select grant_id from grant_mails where state = 'sending' and lease_until < app_now() order by grant_id for update skip locked
        ) returning 1
    """)
    return len(session.execute(statement, {"reason": MailReason.UNKNOWN_OUTCOME.value}).all())


def find_by_unsubscribe(session: Session, unsubscribe_token: str) -> GrantMailRow | None:
    """The mail whose unsubscribe link this is."""
    return session.scalars(select(GrantMailRow).where(col(GrantMailRow.unsubscribe_token) == unsubscribe_token)).one_or_none()


def _is_order_judged(session: Session, order_id: int | None) -> bool:
    """
    Whether all that is known of the order was looked at; if so nobody changes it until the transaction ends.

    What the store said a moment ago may take the grant back: a change that is being applied, or waits to be looked at, comes first.
    """
    if order_id is None:
        return True
    if session.execute(text("select 1 from orders where id = :order for share skip locked"), {"order": order_id}).scalar() is None:
        return False
    return session.execute(text("select 1 from orders_to_judge where order_id = :order"), {"order": order_id}).scalar() is None


_QUEUE = text("""
    insert into grant_mails (grant_id, public_id, shop_id, address, queued_at, due_at, state, unsubscribe_token)
    values (:grant, :public_id, :shop, :address, app_now(), app_now(), 'queued', :token)
    on conflict (grant_id) do nothing returning 1
""")
_CANCEL = text("""
    update grant_mails set state = 'cancelled', reason = :reason, lease_until = null where grant_id in (
        select grant_id from grant_mails where grant_id = any(:grants) and state = 'queued' order by grant_id for update
    ) returning 1
""")
_CANDIDATE = text("""
    select m.grant_id from grant_mails m join grants g on g.id = m.grant_id
    where m.shop_id = :shop and m.state = 'queued' and m.due_at <= app_now()
      and not exists (select 1 from orders_to_judge j where j.order_id = g.order_id)
    order by m.due_at, m.grant_id limit 1 for no key update of g skip locked
""")
