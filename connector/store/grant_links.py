"""What shoppers' links leave behind and show beside the grant itself: the first opening, and the merchant's picture."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Picture:
    """A merchant's picture as it is served."""

    content: bytes
    content_type: str


def note_opened(session: Session, grant_id: int) -> None:
    """
    The shopper opened their offer; the first time counts, for its mail as well if that has left.

    Waits for nobody: a row that somebody works on is left, and the next opening is the first.
    """
    session.execute(_OPENED, {"grant": grant_id})
    session.execute(_CLICKED, {"grant": grant_id})


def banner_name(session: Session, banner_id: int | None) -> str | None:
    """The public id of a version's picture, without its bytes."""
    if banner_id is None:
        return None
    found: str | None = session.execute(text("select public_id from banners where id = :id"), {"id": banner_id}).scalar()
    return found


def read_banner(session: Session, name: str) -> Picture | None:
    """A picture by its public id, of whatever shop: it stands in mails and on storefronts. Needs a system transaction."""
    row = session.execute(text("select content, content_type from banners where public_id = :name"), {"name": name}).one_or_none()
    return None if row is None else Picture(bytes(row.content), row.content_type)


_OPENED = text("""
    update grants set opened_at = app_now()
    where id = (select id from grants where id = :grant and opened_at is null for update skip locked)
""")
_CLICKED = text("""
    update grant_mails set clicked_at = app_now()
    where grant_id = (select grant_id from grant_mails where grant_id = :grant and clicked_at is null and handed_over_at is not null
                      for update skip locked)
""")
