"""Pictures of merchants for their offers. Those that no version of an offer shows go away by themselves."""

from datetime import timedelta

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.errors import NotFound
from connector.store.db import app_now
from connector.store.ids import public_id
from connector.store.offer_tables import BannerRow

KEPT_UNUSED = timedelta(days=1)
"""So long an upload waits for the offer that is being written around it to be saved."""


def save_banner(session: Session, shop_id: int, *, content: bytes, content_type: str, width: int, height: int) -> BannerRow:
    """Keep a picture that we made; its size is that of the file as it came."""
    session.execute(_CLEAN, {"shop": shop_id, "before": app_now(session) - KEPT_UNUSED})
    row = BannerRow(
        public_id=public_id("bnr"),
        shop_id=shop_id,
        content=content,
        content_type=content_type,
        width=width,
        height=height,
        created_at=app_now(session),
    )
    session.add(row)
    session.flush()
    return row


def find_banner(session: Session, shop_id: int, name: str) -> BannerRow:
    """A picture of this shop by its public id. Raises NotFound."""
    statement = select(BannerRow).where(col(BannerRow.shop_id) == shop_id, col(BannerRow.public_id) == name)
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise NotFound(f"the shop has no picture {name}")
    return row


def get_banner(session: Session, banner_id: int | None) -> BannerRow | None:
    """The picture of a version of an offer, None if it has none."""
    return None if banner_id is None else session.get(BannerRow, banner_id)


_CLEAN = text("""
    delete from banners b where b.shop_id = :shop and b.created_at < :before
      and not exists (select 1 from offer_versions v where v.banner_id = b.id)
""")
