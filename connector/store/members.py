"""Members: the people of an account and what each of them is. An account keeps an owner, always."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlmodel import Session, col

from connector.errors import NotFound, Refused
from connector.rules.identity import normalise_email
from connector.rules.permissions import Role
from connector.store import sessions
from connector.store.access_tables import MemberRow
from connector.store.db import app_now
from connector.store.ids import public_id as new_id
from connector.store.sessions import Membership
from connector.store.tables import AccountRow, ShopRow

__all__ = [
    "Membership",
    "PlatformUser",
    "add",
    "add_first",
    "admit",
    "change_role",
    "find_by_email",
    "first_owner",
    "get_member",
    "list_members",
    "recognise",
    "remove",
]


@dataclass(frozen=True, slots=True)
class PlatformUser:
    """A person of a platform's admin, proven by the platform. `key`: MemberRow.platform_user; `email`: verified there, or None."""

    key: str
    is_owner: bool
    sees_customers: bool
    email: str | None = None
    language: str | None = None


def add(session: Session, account_id: int, email: str, role: Role, language: str | None = None) -> MemberRow:
    """
    Add a person to an account; one who was removed comes back.

    Raises Refused if that is no address, or an active member's.
    """
    norm = normalise_email(email)
    if norm is None:
        raise Refused("This is not an e-mail address.")
    _lock_account(session, account_id)
    row = _by_address(session, account_id, email)
    if row is None:
        return _insert(session, account_id, email, role, language)
    if row.removed_at is None:
        raise Refused("Somebody with this address is a member already.")
    row.email, row.role, row.language, row.removed_at = email.strip(), role.value, language, None
    session.flush()
    return row


def add_first(session: Session, account_id: int, email: str | None, language: str | None = None) -> MemberRow:
    """The first owner of an account that has nobody yet; where there is an owner already, that one."""
    _lock_account(session, account_id)
    owner = next(iter(_owners(session, account_id)), None)
    return owner or _insert(session, account_id, email if normalise_email(email) else None, Role.OWNER, language)


def first_owner(session: Session, account_id: int) -> int | None:
    """The owner who has been there the longest."""
    return next((row.id for row in _owners(session, account_id)), None)


def list_members(session: Session, account_id: int) -> Sequence[MemberRow]:
    """The active members of an account, in the order in which they came."""
    return session.scalars(_active(account_id).order_by(col(MemberRow.id))).all()


def get_member(session: Session, account_id: int, public_id: str) -> MemberRow:
    """An active member of the account. Raises NotFound."""
    row = session.scalars(_active(account_id).where(col(MemberRow.public_id) == public_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such member.")
    return row


def find_by_email(session: Session, email: str) -> list[Membership]:
    """Every account that an address may enter, the oldest first. Needs a system transaction."""
    norm = normalise_email(email)
    if norm is None:
        return []
    statement = (
        select(MemberRow, AccountRow)
        .join(AccountRow, col(AccountRow.id) == col(MemberRow.account_id))
        .where(col(MemberRow.email_norm) == norm, col(MemberRow.removed_at).is_(None))
        .order_by(col(MemberRow.id))
    )
    return [sessions.membership(member, account) for member, account in session.execute(statement)]


def recognise(session: Session, account_id: int, key: str) -> MemberRow | None:
    """The member who was let in as this person of a platform's admin before; also one who was removed since."""
    statement = select(MemberRow).where(col(MemberRow.account_id) == account_id, col(MemberRow.platform_user) == key)
    return session.scalars(statement).one_or_none()


def admit(session: Session, account_id: int, user: PlatformUser) -> MemberRow | None:
    """
    The member that a person of a shop's own admin is in its account, made if there is none; None if they are nobody here.

    Known by what they were before, else by their verified address; who was removed stays out. Strangers come in only where the
    account has this one shop, for a member sees every shop of the account and the platform vouches for one: its owner as an owner
    (the shop is theirs anyway), anybody else to read, and only what the platform lets them see as well. Needs a system transaction.
    """
    _lock_account(session, account_id)
    known = [recognise(session, account_id, user.key), _by_address(session, account_id, user.email)]
    row = next((one for one in known if one is not None and one.removed_at is None), None)
    if row is None and known == [None, None]:
        row = _newcomer(session, account_id, user)
    if row is None:
        return None
    # Somebody with a login to several shops of the account is known by the one they used last.
    if known[0] is not None and known[0] is not row:
        known[0].platform_user = None
        session.flush()
    row.platform_user = user.key
    session.flush()
    return row


def change_role(session: Session, account_id: int, public_id: str, role: Role) -> None:
    """Make a member something else. Raises NotFound; Refused for the last owner."""
    _lock_account(session, account_id)
    row = get_member(session, account_id, public_id)
    if role is not Role.OWNER:
        _keep_an_owner(session, row)
    row.role = role.value
    session.flush()


def remove(session: Session, account_id: int, public_id: str) -> None:
    """
    End a membership and everything that the member is signed in with. Needs a system transaction.

    Raises NotFound; Refused for the last owner.
    """
    _lock_account(session, account_id)
    row = get_member(session, account_id, public_id)
    _keep_an_owner(session, row)
    row.removed_at = app_now(session)
    session.flush()
    sessions.end_all(session, member_id=row.id)


def _newcomer(session: Session, account_id: int, user: PlatformUser) -> MemberRow | None:
    shops = session.scalars(select(col(ShopRow.id)).where(col(ShopRow.account_id) == account_id).limit(2)).all()
    if len(shops) > 1 or not (user.is_owner or user.sees_customers):
        return None
    nameless = [one for one in _owners(session, account_id) if one.email is None and one.platform_user is None]
    if user.is_owner and nameless:
        row = nameless[0]
        row.email, row.email_norm, row.language = user.email, normalise_email(user.email), user.language
        return row
    return _insert(session, account_id, user.email, Role.OWNER if user.is_owner else Role.READ_ONLY, user.language)


def _by_address(session: Session, account_id: int, email: str | None) -> MemberRow | None:
    norm = normalise_email(email)
    if norm is None:
        return None
    return session.scalars(
        select(MemberRow).where(col(MemberRow.account_id) == account_id, col(MemberRow.email_norm) == norm)
    ).one_or_none()


def _active(account_id: int) -> Select[MemberRow]:
    return select(MemberRow).where(col(MemberRow.account_id) == account_id, col(MemberRow.removed_at).is_(None))


def _insert(session: Session, account_id: int, email: str | None, role: Role, language: str | None) -> MemberRow:
    row = MemberRow(
        public_id=new_id("mem"),
        account_id=account_id,
        email=email.strip() if email else None,
        email_norm=normalise_email(email),
        role=role.value,
        language=language,
        created_at=app_now(session),
    )
    session.add(row)
    session.flush()
    return row


def _lock_account(session: Session, account_id: int) -> None:
    """Changes of an account's people take turns: two owners who remove each other at once must not both succeed."""
    if session.scalar(select(col(AccountRow.id)).where(col(AccountRow.id) == account_id).with_for_update(key_share=True)) is None:
        raise NotFound("There is no such account.")


def _owners(session: Session, account_id: int) -> list[MemberRow]:
    return [row for row in list_members(session, account_id) if row.role == Role.OWNER]


def _keep_an_owner(session: Session, row: MemberRow) -> None:
    if row.role == Role.OWNER and len(_owners(session, row.account_id)) == 1:
        raise Refused("This is the only owner. Make somebody else an owner first.")
