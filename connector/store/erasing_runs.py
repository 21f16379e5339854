"""
Erasing what syncing has noted of one person: what differed, what made no sense, and runs about a record of theirs alone.

Needs a system transaction.
"""

from sqlalchemy import text
from sqlmodel import Session

from connector.rules.subjects import Subject
from connector.store.erasing import values_of


def erase_notes(session: Session, shop_id: int, subject: Subject) -> int:
    """
    Their records among what was noted go; returns how many rows.

    Of what differed all of the shop goes: it may hold their address under somebody else's record, and is found anew by the next look.
    """
    values = values_of(shop_id, subject)
    return sum(len(session.execute(statement, values).all()) for statement in _STATEMENTS)


def hold_runs(session: Session, shop_id: int) -> None:
    """Lock the shop's runs until the transaction ends. Before the shop's inbox: whoever writes a page takes them in this order."""
    session.execute(text("select 1 from sync_runs where shop_id = :shop order by id for update"), {"shop": shop_id})


_THEIRS = "platform_id = any(:customers) or platform_id = any(:orders) or platform_id = any(:tokens)"
_RUN = f"""
    shop_id = :shop and id in (select run_id from sync_slices where shop_id = :shop and platform_id is not null and ({_THEIRS}))
"""
_STATEMENTS = tuple(
    text(statement)
    for statement in (
        # In the order in which a page is written, so that neither waits for the other: the run, what makes no sense, what differs.
        # A run about one of their records goes whole: without the record's id it would be one about all.
        f"delete from sync_runs where {_RUN} returning 1",
        f"delete from quarantined_records where shop_id = :shop and ({_THEIRS}) returning 1",
        "delete from sync_differences where shop_id = :shop returning 1",
    )
)
