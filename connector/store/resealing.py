"""
Exchanging the keys that seal: what is kept sealed is sealed anew with the newest key, so that the old one can be removed.

All functions need a system transaction.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from connector.store.sealed import Vault

BATCH = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A column that holds what is sealed, and what tells its rows apart."""

    table: str
    key: str
    column: str


PLACES = (
    Place("hash_key", "id", "sealed"),
    Place("shops", "id", "credentials"),
    Place("shops", "id", "webhook_secret"),
    Place("staff", "id", "totp_secret"),
    Place("sessions", "id", "fresh_sealed"),
    Place("system_mails", "id", "sealed"),
    Place("pending_installs", "state_hash", "remembered"),
    Place("privacy_requests", "id", "person"),
)


def settle(session: Session, vault: Vault) -> Vault:
    """
    The vault with the hash key of this database. The first time it is the one that the oldest key makes, and is kept.

    Raises ConfigError if the key that sealed it is gone.
    """
    session.execute(
        text("insert into hash_key (id, sealed) values (1, :sealed) on conflict (id) do nothing"), {"sealed": vault.seal_hash_key()}
    )
    return vault.with_hash_key(session.execute(text("select sealed from hash_key")).scalar_one())


def reseal_some(session: Session, vault: Vault, place: Place, after: Any = None) -> tuple[int, Any]:
    """
    Seal the next rows of a place anew; returns how many were changed, and the last key that was looked at (None: the end).

    What somebody else changes meanwhile is left to them. Raises ConfigError if a key that sealed something is gone.
    """
    statement = text(f"""
        select {place.key}, {place.column} from {place.table}
        where length({place.column}) > 0 and (cast(:after as {_type(place)}) is null or {place.key} > :after)
        order by {place.key} limit :batch
    """)
    found = session.execute(statement, {"after": after, "batch": BATCH}).all()
    count = sum(_exchange(session, vault, place, key, sealed) for key, sealed in found)
    return count, found[-1][0] if found else None


def _exchange(session: Session, vault: Vault, place: Place, key: Any, sealed: bytes) -> bool:
    fresh = vault.reseal(sealed)
    if fresh is None:
        return False
    statement = text(f"update {place.table} set {place.column} = :fresh where {place.key} = :key and {place.column} = :sealed returning 1")
    return session.execute(statement, {"fresh": fresh, "key": key, "sealed": sealed}).scalar() is not None


def _type(place: Place) -> str:
    return "bigint" if place.key == "id" else "bytea"
