"""Staff: our own people, who sign in with a password and a code of their authenticator app. Needs a system transaction."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.errors import NotFound, Refused
from connector.rules.identity import normalise_email
from connector.rules.permissions import StaffRole
from connector.store import sessions
from connector.store.access_tables import StaffRow
from connector.store.db import app_now
from connector.store.ids import public_id
from connector.store.sealed import Vault

ISSUER = "Connector"
STEP_SECONDS = 30
DIGITS = 6
SECRET_BYTES = 20
LONGEST_NAME = 80


def add(session: Session, email: str, name: str, role: StaffRole, password_hash: str) -> StaffRow:
    """
    Add a person; one who was disabled comes back, with the new password and without a second factor.

    Raises Refused if that is no address or an active person's, or without a name.
    """
    norm, named = normalise_email(email), " ".join(name.split())
    if norm is None:
        raise Refused(f"{email!r} is not an e-mail address.")
    if not named or len(named) > LONGEST_NAME:
        raise Refused("Give the person a name of at most 80 characters.")
    row = session.scalars(select(StaffRow).where(col(StaffRow.email_norm) == norm).with_for_update()).one_or_none()
    if row is not None and row.disabled_at is None:
        raise Refused(f"{norm} is there already.")
    if row is None:
        row = StaffRow(
            public_id=public_id("stf"),
            email_norm=norm,
            name=named,
            role=role.value,
            password_hash=password_hash,
            created_at=app_now(session),
        )
    else:
        row.name, row.role, row.password_hash, row.disabled_at = named, role.value, password_hash, None
        row.totp_secret, row.totp_confirmed_at = None, None
    session.add(row)
    session.flush()
    return row


def find_by_email(session: Session, email: str) -> StaffRow | None:
    """The active person with this address."""
    statement = select(StaffRow).where(col(StaffRow.email_norm) == normalise_email(email), col(StaffRow.disabled_at).is_(None))
    return session.scalars(statement).one_or_none()


def get_staff(session: Session, staff_id: int) -> StaffRow:
    """One of our people. Raises NotFound."""
    row = session.get(StaffRow, staff_id)
    if row is None:
        raise NotFound("There is no such person.")
    return row


def list_staff(session: Session) -> Sequence[StaffRow]:
    """Everybody, the disabled too, in the order in which they came."""
    return session.scalars(select(StaffRow).order_by(col(StaffRow.id))).all()


def disable(session: Session, email: str) -> StaffRow:
    """Let a person in no more, and end everything that person is signed in with. Raises NotFound."""
    row = _find(session, email)
    row.disabled_at = app_now(session)
    session.flush()
    sessions.end_all(session, staff_id=row.id)
    return row


def reset_second_factor(session: Session, email: str) -> StaffRow:
    """Forget a person's authenticator app: the next sign-in sets up a new one. Ends all sessions. Raises NotFound."""
    row = _find(session, email)
    row.totp_secret, row.totp_confirmed_at = None, None
    session.flush()
    sessions.end_all(session, staff_id=row.id)
    return row


def new_totp_secret() -> str:
    """A secret for an authenticator app, in base32 as people type it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def totp_uri(row: StaffRow, secret: str) -> str:
    """What an authenticator app reads, `otpauth://…`."""
    return _totp(secret).get_provisioning_uri(row.email_norm, ISSUER)


def set_totp(session: Session, vault: Vault, row: StaffRow, secret: str) -> None:
    """Give a person a new secret; it counts as set up once a code of it was shown."""
    row.totp_secret, row.totp_confirmed_at = vault.seal({"secret": secret}), None
    session.flush()


def open_totp(vault: Vault, row: StaffRow) -> str | None:
    """The person's secret, if there is one."""
    return None if row.totp_secret is None else vault.open(row.totp_secret)["secret"]


def pending_totp(session: Session, vault: Vault, row: StaffRow) -> str:
    """
    The secret to show a person who has not set up an app yet: the same until a code of it was shown.

    Raises Refused if one is set up: then it is shown to nobody.
    """
    session.refresh(row, with_for_update=True)
    if row.totp_confirmed_at is not None:
        raise Refused("The second factor is set up already.")
    secret = open_totp(vault, row)
    if secret is None:
        secret = new_totp_secret()
        set_totp(session, vault, row, secret)
    return secret


def check_totp(session: Session, vault: Vault, row: StaffRow, code: str, now: datetime) -> bool:
    """
    Whether this is the person's code of now, or of 30 seconds before or after. Each is good once; the first confirms the secret.
    """
    secret = open_totp(vault, row)
    if secret is None:
        return False
    totp, typed = _totp(secret), "".join(code.split()).encode()
    current = int(now.timestamp()) // STEP_SECONDS
    fitting = [step for step in (current - 1, current, current + 1) if hmac.compare_digest(totp.generate(step * STEP_SECONDS), typed)]
    return any(_use(session, row, step) for step in fitting)


def _find(session: Session, email: str) -> StaffRow:
    row = find_by_email(session, email)
    if row is None:
        raise NotFound(f"There is nobody with the address {email!r}.")
    return row


def _use(session: Session, row: StaffRow, step: int) -> bool:
    """Of two who show the same code at once, one is let in."""
    statement = text("""
        update staff set totp_step = :step, totp_confirmed_at = coalesce(totp_confirmed_at, app_now())
        where id = :id and totp_step < :step and totp_secret = :secret and disabled_at is null returning totp_confirmed_at
    """)
    confirmed = session.execute(statement, {"id": row.id, "step": step, "secret": row.totp_secret}).scalar()
    if confirmed is None:
        return False
    session.refresh(row)
    return True


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - what authenticator apps understand
