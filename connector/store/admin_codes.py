"""
Codes that lead from the page inside a platform's admin to the whole app: of one member and one shop, once, within a minute.

A browser keeps no cookies of ours inside another site's page, so the sign-in there cannot simply go on here. All functions need a
system transaction.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import Session, col

from connector.store import shops
from connector.store.access_tables import AdminCodeRow, MemberRow
from connector.store.db import app_now
from connector.store.sealed import Vault

LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Entrance:
    """Who may come in, and to which shop."""

    member_id: int
    shop_id: int
    account_id: int
    shop_public_id: str


def make(session: Session, vault: Vault, code: str, shop_id: int, member_id: int) -> None:
    """Keep a code (one-time random text) as a keyed hash; those that ran out go."""
    now = app_now(session)
    session.execute(delete(AdminCodeRow).where(col(AdminCodeRow.created_at) <= now - LIFETIME))
    session.add(AdminCodeRow(code_hash=_hash(vault, code), shop_id=shop_id, member_id=member_id, created_at=now))


def redeem(session: Session, vault: Vault, code: str) -> Entrance | None:
    """Use a code up; None if it is used, a minute old, unknown, or of a member who left the shop's account meanwhile."""
    row = session.get(AdminCodeRow, _hash(vault, code), with_for_update=True)
    if row is None:
        return None
    session.delete(row)
    session.flush()
    member, shop = session.get_one(MemberRow, row.member_id), shops.get_shop(session, row.shop_id)
    is_good = row.created_at > app_now(session) - LIFETIME and member.removed_at is None and member.account_id == shop.account_id
    return Entrance(row.member_id, row.shop_id, shop.account_id, shop.public_id) if is_good else None


def _hash(vault: Vault, code: str) -> bytes:
    return vault.keyed_hash("admin-code", code)
