"""How often somebody tried something: counted in rows, so that all processes count together. Needs a system transaction."""

from sqlalchemy import text
from sqlmodel import Session

from connector.store.sealed import Vault

KEEP_SECONDS = 86_400
"""No longer is anything counted for."""
CLEAN = 20


def take(session: Session, vault: Vault, what: str, who: str, *, most: int, seconds: int) -> bool:
    """
    Count one try; False if it is one more than `most` within `seconds` of the first.

    The count must be kept whatever the try comes to: let this transaction commit before anything else can fail.
    """
    session.execute(_CLEAN, {"keep": KEEP_SECONDS, "most": CLEAN})
    values = {"key": _hash(vault, what, who), "seconds": seconds}
    count: int = session.execute(_TAKE, values).scalar_one()
    return count <= most


def give_back(session: Session, vault: Vault, what: str, who: str) -> None:
    """One try less: it was no wrong one."""
    session.execute(text("update attempts set count = count - 1 where key_hash = :key and count > 0"), {"key": _hash(vault, what, who)})


def forget(session: Session, vault: Vault, what: str, who: str) -> None:
    """Begin to count anew, as after a success."""
    session.execute(text("delete from attempts where key_hash = :key"), {"key": _hash(vault, what, who)})


def _hash(vault: Vault, what: str, who: str) -> bytes:
    return vault.keyed_hash("attempt", what, who)


_TAKE = text("""
    insert into attempts (key_hash, count, since) values (:key, 1, app_now())
    on conflict (key_hash) do update set
        count = case when attempts.since <= app_now() - make_interval(secs => :seconds) then 1
                     else least(attempts.count, 1000000) + 1 end,
        since = case when attempts.since <= app_now() - make_interval(secs => :seconds) then app_now() else attempts.since end
    returning count
""")
# A few at a time, and none that somebody else is counting on at this moment.
_CLEAN = text("""
    delete from attempts where key_hash = any (array(
        select key_hash from attempts where since < app_now() - make_interval(secs => :keep) order by since limit :most
        for update skip locked
    ))
""")
