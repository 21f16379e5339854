"""
Sessions: who is signed in, by a token of which only a keyed hash is kept.

The token is exchanged every 15 minutes. A browser sends several requests at once, so the one before stays good for a minute and
is answered with the new one. Once the new one was shown, an older one can only be a copy: it ends the session. All functions
need a system transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, text
from sqlmodel import Session, col

from connector.errors import ConfigError
from connector.rules.permissions import Role, StaffRole
from connector.store import audit
from connector.store.access_tables import MemberRow, SessionRow, StaffRow
from connector.store.db import app_now
from connector.store.ids import public_id
from connector.store.sealed import Vault
from connector.store.tables import AccountRow

ROTATE_AFTER = timedelta(minutes=15)
OVERLAP = timedelta(seconds=60)
SEEN_EVERY = timedelta(minutes=1)
MEMBER_LASTS, MEMBER_IDLE = timedelta(days=14), timedelta(days=7)
STAFF_LASTS, STAFF_IDLE = timedelta(hours=12), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Membership:
    """One person in one account, as of now."""

    member_id: int
    public_id: str
    account_id: int
    account_public_id: str
    account_name: str
    email: str | None
    role: Role
    language: str | None


@dataclass(frozen=True, slots=True)
class StaffView:
    """One of our own people, as of now."""

    staff_id: int
    public_id: str
    name: str
    email: str
    role: StaffRole


@dataclass(frozen=True, slots=True)
class Signed:
    """Who is signed in: a member or one of ours. The second factor is asked of ours only; for a member it counts as done."""

    session_id: int
    session_public_id: str
    is_second_factor_done: bool
    member: Membership | None
    staff: StaffView | None


@dataclass(frozen=True, slots=True)
class Look:
    """Who is signed in, and the token that the browser should show from now on, if it is another one."""

    signed: Signed
    fresh_token: str | None


def begin(
    session: Session,
    vault: Vault,
    token: str,
    *,
    member_id: int | None = None,
    staff_id: int | None = None,
    is_second_factor_done: bool = False,
) -> str:
    """Sign a person in; returns the public id of the session. `token`: one-time random text. Those that ran out go."""
    now = app_now(session)
    session.execute(delete(SessionRow).where(col(SessionRow.expires_at) < now).execution_options(synchronize_session=False))
    row = SessionRow(
        public_id=public_id("ses"),
        token_hash=_hash(vault, token),
        rotated_at=now,
        member_id=member_id,
        staff_id=staff_id,
        second_factor_at=now if is_second_factor_done else None,
        created_at=now,
        seen_at=now,
        expires_at=now + (MEMBER_LASTS if staff_id is None else STAFF_LASTS),
    )
    session.add(row)
    session.flush()
    return row.public_id


def look(session: Session, vault: Vault, token: str, fresh: str) -> Look | None:
    """
    Who shows this token; None if nobody may be let in with it. `fresh`: random text, the next token if it is time for one.
    """
    shown, now = _hash(vault, token), app_now(session)
    statement = (
        select(SessionRow, MemberRow, AccountRow, StaffRow)
        .outerjoin(MemberRow, col(MemberRow.id) == col(SessionRow.member_id))
        .outerjoin(AccountRow, col(AccountRow.id) == col(MemberRow.account_id))
        .outerjoin(StaffRow, col(StaffRow.id) == col(SessionRow.staff_id))
        .where(or_(col(SessionRow.token_hash) == shown, col(SessionRow.previous_hash) == shown))
        .execution_options(populate_existing=True)
    )
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    row, member, account, staff = found
    signed = _signed(row, member, account, staff)
    if signed is None or not _is_alive(row, now):
        return None
    if row.token_hash == shown:
        return Look(signed, _keep(session, vault, row, fresh, now))
    if now <= row.rotated_at + OVERLAP:
        return Look(signed, _open(vault, row.fresh_sealed))
    if row.fresh_sealed is not None:
        # The answer with the new token got lost: nobody else ever showed it, so this is no copy.
        return Look(signed, _exchange(session, vault, row, shown, fresh, now))
    _end_copied(session, row, None if member is None else member.account_id)
    return None


def end(session: Session, vault: Vault, token: str) -> None:
    """Sign out: neither this token nor the one before or after it is good any more."""
    session.execute(text("delete from sessions where token_hash = :hash or previous_hash = :hash"), {"hash": _hash(vault, token)})


def end_all(session: Session, *, member_id: int | None = None, staff_id: int | None = None) -> int:
    """Sign a person out everywhere, unused links included; returns how many sessions ended."""
    who = {"member": member_id, "staff": staff_id}
    session.execute(text("delete from sign_in_links where (member_id = :member or staff_id = :staff) and used_at is null"), who)
    gone = session.execute(text("delete from sessions where member_id = :member or staff_id = :staff returning 1"), who)
    return len(gone.all())


def membership(member: MemberRow, account: AccountRow) -> Membership:
    """A member with the account."""
    assert member.id is not None
    return Membership(
        member.id, member.public_id, member.account_id, account.public_id, account.name, member.email, Role(member.role), member.language
    )


def _signed(row: SessionRow, member: MemberRow | None, account: AccountRow | None, staff: StaffRow | None) -> Signed | None:
    assert row.id is not None
    if member is not None and account is not None and member.removed_at is None:
        return Signed(row.id, row.public_id, True, membership(member, account), None)
    if staff is not None and staff.id is not None and staff.disabled_at is None:
        view = StaffView(staff.id, staff.public_id, staff.name, staff.email_norm, StaffRole(staff.role))
        return Signed(row.id, row.public_id, row.second_factor_at is not None, None, view)
    return None


def _is_alive(row: SessionRow, now: datetime) -> bool:
    idle = MEMBER_IDLE if row.staff_id is None else STAFF_IDLE
    return now < row.expires_at and now < row.seen_at + idle


def _keep(session: Session, vault: Vault, row: SessionRow, fresh: str, now: datetime) -> str | None:
    """The newest token was shown: note that, and exchange it if it is time; returns the token to show next, if another."""
    if now >= row.rotated_at + ROTATE_AFTER:
        return _exchange(session, vault, row, None, fresh, now)
    if row.fresh_sealed is not None or now >= row.seen_at + SEEN_EVERY:
        _update(session, row, "seen_at = :now, fresh_sealed = null", now=now)
    return None


def _exchange(session: Session, vault: Vault, row: SessionRow, shown: bytes | None, fresh: str, now: datetime) -> str | None:
    """
    From now on `fresh` is the token and the one before is `shown`, or the one that was. If another request did that meanwhile
    the browser hears of the new token from that one.
    """
    sets = "token_hash = :fresh, previous_hash = :before, fresh_sealed = :sealed, rotated_at = :now, seen_at = :now"
    values = {"fresh": _hash(vault, fresh), "before": shown or row.token_hash, "sealed": vault.seal({"token": fresh}), "now": now}
    return fresh if _update(session, row, sets, **values) else None


def _update(session: Session, row: SessionRow, sets: str, **values: Any) -> bool:
    """Change a session that is still as it was read."""
    statement = text(f"update sessions set {sets} where id = :id and token_hash = :token returning 1")
    return session.execute(statement, {"id": row.id, "token": row.token_hash, **values}).scalar() is not None


def _end_copied(session: Session, row: SessionRow, account_id: int | None) -> None:
    """Two have shown tokens of one session, so one of them was copied: it ends for both, and it is written down."""
    session.execute(text("delete from sessions where id = :id"), {"id": row.id})
    audit.write(session, audit.SYSTEM, "session.reused", account_id=account_id, object=row.public_id)


def _open(vault: Vault, sealed: bytes | None) -> str | None:
    try:
        return None if sealed is None else vault.open(sealed)["token"]
    except ConfigError:  # sealed a moment ago with a key that is gone
        return None


def _hash(vault: Vault, token: str) -> bytes:
    return vault.keyed_hash("session", token)
