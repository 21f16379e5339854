"""Links that sign a person in: once, for 15 minutes, in the browser that asked for them. All functions need a system transaction."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, text
from sqlmodel import Session, col

from connector.errors import Refused
from connector.store import clock
from connector.store.access_tables import SignInLinkRow
from connector.store.db import app_now
from connector.store.sealed import Vault

LIFETIME = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whom a link signs in: a member or one of ours."""

    member_id: int | None
    staff_id: int | None


def make(
    session: Session, vault: Vault, token: str, browser: str | None, *, member_id: int | None = None, staff_id: int | None = None
) -> None:
    """
    Keep a link until it is followed; those that ran out go. `token`, `browser`: one-time random texts.

    Without a browser anybody who holds it is let in: Raises Refused for that outside a sandbox.
    """
    if browser is None and not clock.is_sandbox(session):
        raise Refused("A sign-in link that fits every browser exists in a sandbox only.")
    now = app_now(session)
    session.execute(delete(SignInLinkRow).where(col(SignInLinkRow.expires_at) < now).execution_options(synchronize_session=False))
    row = SignInLinkRow(
        token_hash=_token_hash(vault, token),
        browser_hash=None if browser is None else _browser_hash(vault, browser),
        member_id=member_id,
        staff_id=staff_id,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    session.add(row)
    session.flush()


def redeem(session: Session, vault: Vault, token: str, browser: str) -> Redeemed | None:
    """Use a link up, and say whom it signs in; None if it is not good in this browser. Another browser does not use it up."""
    statement = text("""
        update sign_in_links l set used_at = app_now()
        where token_hash = :token and used_at is null and expires_at > app_now()
          and (browser_hash = :browser or browser_hash is null and (select is_sandbox from app_clock))
          and (exists (select 1 from members m where m.id = l.member_id and m.removed_at is null)
               or exists (select 1 from staff s where s.id = l.staff_id and s.disabled_at is null))
        returning member_id, staff_id
    """)
    values = {"token": _token_hash(vault, token), "browser": _browser_hash(vault, browser)}
    found = session.execute(statement, values).one_or_none()
    return None if found is None else Redeemed(found[0], found[1])


def _token_hash(vault: Vault, token: str) -> bytes:
    return vault.keyed_hash("sign-in-link", token)


def _browser_hash(vault: Vault, browser: str) -> bytes:
    return vault.keyed_hash("sign-in-browser", browser)
