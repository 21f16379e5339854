"""What owners must know: one notice and one mail to each owner per cause, until the cause is settled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.rules.permissions import Role
from connector.store import members, system_mails
from connector.store.access_tables import NoticeRow
from connector.store.ids import public_id
from connector.store.sealed import Vault
from connector.store.system_mails import NoticeMail
from connector.store.tables import ShopRow


class Cause(StrEnum):
    """Why owners are told something."""

    NEEDS_SIGN_IN = "needs_sign_in"
    SUSPENDED = "suspended"
    GAP_FOUND = "gap_found"
    DATA_REQUEST_READY = "data_request_ready"
    OFFER_SUSPENDED = "offer_suspended"
    OFFER_ENDING = "offer_ending"


@dataclass(frozen=True, slots=True)
class About:
    """What a notice is about, beside its shop: a name, the page (below our address), why, and when something will happen."""

    name: str
    page: str
    reason: str = ""
    detail: str = ""
    at: datetime | None = None


def tell(
    session: Session, vault: Vault, shop: ShopRow, cause: Cause, cause_key: str, detail: str | None = None, *, about: About | None = None
) -> bool:
    """
    Tell the owners of a shop's account, unless this cause is open already; true if it is new.

    Of two who tell at once, one does. `detail` is shown to members and must hold nothing about a shopper.
    """
    values = {
        "public_id": public_id("ntc"),
        "account": shop.account_id,
        "shop": shop.id,
        "cause": cause.value,
        "key": cause_key,
        "detail": detail,
    }
    if session.execute(_TELL, values).scalar() is None:
        return False
    for member in members.list_members(session, shop.account_id):
        if member.role == Role.OWNER and member.email is not None:
            mail = _mail(shop, cause, member.email, member.language or shop.language or "", about)
            system_mails.queue(session, vault, system_mails.NOTICE, mail, shop.account_id)
    return True


def retell(session: Session, account_id: int, cause: Cause, cause_key: str, detail: str) -> None:
    """More is known of an open cause: nobody is told again."""
    statement = text("""
        update notices set detail = :detail
        where account_id = :account and cause = :cause and cause_key = :key and settled_at is null and detail is distinct from :detail
    """)
    session.execute(statement, {"account": account_id, "cause": cause.value, "key": cause_key, "detail": detail})


def settle(session: Session, account_id: int, cause: Cause, cause_key: str) -> bool:
    """The cause is gone; true if it was open. If it comes again owners are told again."""
    statement = text("""
        update notices set settled_at = app_now()
        where account_id = :account and cause = :cause and cause_key = :key and settled_at is null returning 1
    """)
    return session.execute(statement, {"account": account_id, "cause": cause.value, "key": cause_key}).scalar() is not None


def list_open(session: Session, account_id: int) -> Sequence[NoticeRow]:
    """What is not settled yet, newest first."""
    statement = select(NoticeRow).where(col(NoticeRow.account_id) == account_id, col(NoticeRow.settled_at).is_(None))
    return session.scalars(statement.order_by(col(NoticeRow.id).desc())).all()


def _mail(shop: ShopRow, cause: Cause, to: str, language: str, about: About | None) -> NoticeMail:
    mail = NoticeMail(to, cause.value, shop.name, shop.public_id, language)
    if about is None:
        return mail
    at = about.at.isoformat() if about.at else ""
    return replace(mail, offer=about.name, page=about.page, reason=about.reason, detail=about.detail, at=at, zone=shop.timezone)


_TELL = text("""
    insert into notices (public_id, account_id, shop_id, cause, cause_key, detail, at)
    values (:public_id, :account, :shop, :cause, :key, :detail, app_now())
    on conflict (account_id, cause, cause_key) where settled_at is null do nothing returning id
""")
