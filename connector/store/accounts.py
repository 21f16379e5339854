"""Accounts: find one."""

from sqlalchemy import select
from sqlmodel import Session, col

from connector.errors import Refused
from connector.store.tables import AccountRow


def find_account(session: Session, public_id: str) -> AccountRow:
    """The account. Raises Refused if it is gone."""
    row = session.scalars(select(AccountRow).where(col(AccountRow.public_id) == public_id)).one_or_none()
    if row is None:
        raise Refused("There is no such account any more.")
    return row
