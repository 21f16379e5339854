"""API keys of an account: shown once, kept as a keyed hash."""

import secrets
from collections.abc import Iterable, Sequence

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.errors import NotFound, Refused
from connector.rules.permissions import Scope
from connector.store.access_tables import ApiKeyRow
from connector.store.db import app_now
from connector.store.ids import public_id as new_id
from connector.store.sealed import Vault

PREFIX = "ck_"
LONGEST_NAME = 80


def issue(session: Session, vault: Vault, account_id: int, name: str, scopes: Iterable[Scope], created_by: str) -> tuple[ApiKeyRow, str]:
    """A new key and its text, which is told here and never again. Raises Refused without a name or a scope."""
    named, asked = " ".join(name.split()), sorted({Scope(scope).value for scope in scopes})
    if not named or len(named) > LONGEST_NAME:
        raise Refused("Give the key a name of at most 80 characters.")
    if not asked:
        raise Refused("Choose what the key may read.")
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKeyRow(
        public_id=new_id("key"),
        account_id=account_id,
        name=named,
        key_hash=_hash(vault, key),
        hint=key[-4:],
        scopes=asked,
        created_by=created_by,
        created_at=app_now(session),
    )
    session.add(row)
    session.flush()
    return row, key


def find(session: Session, vault: Vault, key: str) -> ApiKeyRow | None:
    """The key that is good and has this text; that it was used is noted, at most once a minute. Needs a system transaction."""
    statement = select(ApiKeyRow).where(col(ApiKeyRow.key_hash) == _hash(vault, key), col(ApiKeyRow.revoked_at).is_(None))
    row = session.scalars(statement).one_or_none()
    if row is not None:
        session.execute(_USED, {"id": row.id})
    return row


def list_keys(session: Session, account_id: int) -> Sequence[ApiKeyRow]:
    """All keys of an account, revoked ones too, newest first."""
    return session.scalars(select(ApiKeyRow).where(col(ApiKeyRow.account_id) == account_id).order_by(col(ApiKeyRow.id).desc())).all()


def revoke(session: Session, account_id: int, public_id: str) -> None:
    """End a key; ending it again changes nothing. Raises NotFound."""
    statement = text("""
        update api_keys set revoked_at = coalesce(revoked_at, app_now()) where account_id = :account and public_id = :id returning 1
    """)
    if session.execute(statement, {"account": account_id, "id": public_id}).scalar() is None:
        raise NotFound("There is no such key.")


def _hash(vault: Vault, key: str) -> bytes:
    return vault.keyed_hash("api-key", key)


_USED = text("""
    update api_keys set last_used_at = app_now()
    where id = :id and (last_used_at is null or last_used_at <= app_now() - interval '1 minute')
""")
