"""
Ready links into the demo's pages, for a merchant and for one of the staff.

They exist in a sandbox only: they are bound to no browser, and the one for staff stands for password and second factor as well.
"""

import secrets
from dataclasses import dataclass

from connector.cli.demo.world import App
from connector.errors import ConnectorError
from connector.rules.permissions import Role, StaffRole
from connector.store import members, passwords, shops, sign_in_links, staff
from connector.store.db import Session
from connector.store.sealed import Vault

STAFF = "sam@support.example"


@dataclass(frozen=True, slots=True)
class Entrance:
    """Two addresses, each good once and for 15 minutes."""

    merchant: str
    staff: str


def open_entrance(app: App, vault: Vault) -> Entrance:
    """Make both links. Raises Refused outside a sandbox, ConnectorError before a shop is connected."""
    with app.db.system_transaction("links into the demo") as session:
        member_id, staff_id = _owner(session), _staff(session)
        merchant, ours = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        sign_in_links.make(session, vault, merchant, None, member_id=member_id)
        sign_in_links.make(session, vault, ours, None, staff_id=staff_id)
    return Entrance(f"{app.origin}/sign-in/{merchant}", f"{app.origin}/sign-in/{ours}")


def _owner(session: Session) -> int:
    for shop in shops.list_shops(session):
        for member in members.list_members(session, shop.account_id):
            if member.role == Role.OWNER and member.id is not None:
                return member.id
    raise ConnectorError("no shop is connected, so there is no account to enter")


def _staff(session: Session) -> int:
    row = staff.find_by_email(session, STAFF)
    if row is None:
        row = staff.add(session, STAFF, "Sam", StaffRole.ADMIN, passwords.spare_hash())
    assert row.id is not None
    return row.id
