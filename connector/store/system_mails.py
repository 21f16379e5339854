"""
Mails of our own to members: queued once, claimed, handed over at most once, recorded. What they say is gone once they are settled.

Claims, endings and sign-in mails need a system transaction; an account's or shop's own may queue for its own account.
"""

from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session

from connector.store.access_tables import SystemMailRow
from connector.store.db import app_now, wake_after_commit
from connector.store.ids import public_id
from connector.store.outgoing import LEASE
from connector.store.sealed import Vault
from connector.store.sign_in_links import LIFETIME

JOB = "post_mails"
SIGN_IN = "sign_in"
INVITATION = "invitation"
NOTICE = "notice"
PREVIEW = "preview"
TOO_LATE = "too late: the link in it is no longer good"


@dataclass(frozen=True, slots=True)
class SystemMail:
    """A composed mail. `sender`: an RFC 5322 mailbox."""

    to: str
    subject: str
    text: str
    html: str
    sender: str


@dataclass(frozen=True, slots=True)
class NoticeMail:
    """
    A mail about a notice, composed when it is handed over. `language`: what its reader chose, or the shop's, or nothing.

    The rest is of an offer: its name, its page's path, why it is suspended, or `at` what instant it ends (ISO 8601), in which time zone.
    """

    to: str
    cause: str
    shop_name: str
    shop_public_id: str
    language: str
    offer: str = ""
    page: str = ""
    reason: str = ""
    detail: str = ""
    at: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A mail that is ours to hand over. `sealed`: see `open_mail`."""

    id: int
    public_id: str
    kind: str
    attempt: int
    queued_at: datetime
    sealed: bytes


def queue(session: Session, vault: Vault, kind: str, mail: SystemMail | NoticeMail, account_id: int | None = None) -> str:
    """Queue a mail and ring for it; returns its public id."""
    now, name = app_now(session), public_id("sml")
    values = {
        "public_id": name,
        "account_id": account_id,
        "kind": kind,
        "sealed": vault.seal(_said(mail)),
        "state": "queued",
        "queued_at": now,
        "due_at": now,
    }
    session.execute(insert(SystemMailRow.__table__), [values])  # type: ignore[attr-defined]
    wake_after_commit(session, JOB, 0)
    return name


def open_mail(vault: Vault, claimed: ClaimedMail) -> SystemMail | NoticeMail:
    """What a claimed mail says. Raises ConfigError if its key is gone."""
    said = vault.open(claimed.sealed)
    return NoticeMail(**said) if claimed.kind == NOTICE else SystemMail(**said)


def has_due(session: Session) -> bool:
    """Whether a mail waits to be handed over."""
    statement = "select exists (select 1 from system_mails where state = 'queued' and due_at <= app_now())"
    return bool(session.execute(text(statement)).scalar_one())


def claim(session: Session) -> ClaimedMail | None:
    """
    Take the next due mail, sign-in mails first: somebody waits for those. From here on nobody else sends it. Sign-in mails whose
    link has run out are refused instead.
    """
    session.execute(_DROP_LATE, {"detail": TOO_LATE, "lifetime": LIFETIME})
    found = session.execute(_CLAIM, {"lease": LEASE}).one_or_none()
    return None if found is None else ClaimedMail(*found)


def record(session: Session, claimed: ClaimedMail, state: str, detail: str | None = None, *, again_at: datetime | None = None) -> bool:
    """
    Write how a hand-over ended: sent, refused, unknown, or queued `again_at`. False if the claim was lost (its lease ran out).
    """
    statement = text("""
        update system_mails set state = :state, detail = :detail, lease_until = null, due_at = coalesce(:again, due_at),
            handed_over_at = case when :is_sent then app_now() end, sealed = case when :is_settled then null else sealed end
        where id = :id and state = 'sending' and attempts = :attempt returning 1
    """)
    values: dict[str, Any] = {"id": claimed.id, "attempt": claimed.attempt, "state": state, "detail": detail, "again": again_at}
    values |= {"is_sent": state == "sent", "is_settled": state != "queued"}
    return session.execute(statement, values).scalar() is not None


def expire_leases(session: Session) -> int:
    """Mails whose worker vanished in mid-send: unknown, never sent again by themselves. Returns how many."""
    statement = text("""
        update system_mails set state = 'unknown', lease_until = null, sealed = null where id in (
            select id from system_mails where state = 'sending' and lease_until < app_now() order by id for update skip locked
        ) returning 1
    """)
    return len(session.execute(statement).all())


def still_good_until(claimed: ClaimedMail) -> datetime | None:
    """After this instant the mail is worth nothing; None: never."""
    return claimed.queued_at + LIFETIME if claimed.kind == SIGN_IN else None


def _said(mail: SystemMail | NoticeMail) -> dict[str, str]:
    """Without what stands at its default: so a process of an older version can open what it has words for."""
    said = {field.name: getattr(mail, field.name) for field in fields(mail) if field.default is MISSING}
    return said | {field.name: value for field in fields(mail) if (value := getattr(mail, field.name))}


_DROP_LATE = text("""
    update system_mails set state = 'refused', detail = :detail, sealed = null where id in (
        select id from system_mails
        where state = 'queued' and due_at <= app_now() and kind = 'sign_in' and queued_at <= app_now() - :lifetime
        order by id for update skip locked
    )
""")
_CLAIM = text("""
    update system_mails set state = 'sending', attempts = attempts + 1, lease_until = app_now() + :lease where id = (
        select id from system_mails where state = 'queued' and due_at <= app_now()
        order by kind <> 'sign_in', due_at, id limit 1 for update skip locked
    ) returning id, public_id, kind, attempts, queued_at, sealed
""")
