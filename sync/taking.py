"""
What a sync read, compared with what we keep and written where it differs: quietly, newest wins, unchanged rows not touched.

Backfill, reconcile and resync all write by this one way. It sends nothing, begins nothing and gives nothing: see `apply.save`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from connector.canonical import Channel, Checkout, Customer, Event, Order, Product, Removed
from connector.codes import CodeState
from connector.metrics import CANCELLED
from connector.reading import Change, Page
from connector.store import codes, comparing, offer_work
from connector.store.comparing import Compared
from connector.store.db import Session, is_refusal, run
from connector.store.work import LeasedShop
from sync import apply, privacy
from sync.services import Services

log = structlog.get_logger()


@dataclass(slots=True)
class Found:
    """What pages brought: records, removals, those that make no sense by id with the reason, and whether something is withheld."""

    records: list[Change] = field(default_factory=list)
    gone: list[Removed] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    withheld: set[str] = field(default_factory=set)

    @property
    def seen(self) -> int:
        """How many records the store gave."""
        return len(self.records) + len(self.gone) + len(self.unreadable)


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What became of them: how they compared, those that the store does not tell enough of, and those that the database refused.

    `cancelled`: how many queued messages ended because of it.
    """

    compared: Compared
    unrecoverable: Sequence[Checkout] = ()
    refused: Sequence[Change | Removed] = ()
    cancelled: int = 0


def gather(pages: Sequence[Page]) -> Found:
    """What some pages brought together."""
    found = Found()
    for page in pages:
        found.records.extend(page.records)
        found.gone.extend(page.gone)
        found.withheld.update(page.withheld)
        for words in page.unreadable:
            platform_id, _, reason = words.partition(": ")
            found.unreadable[platform_id] = reason or "unreadable"
    return found


def take(
    session: Session,
    services: Services,
    shop: LeasedShop,
    found: Found,
    read_at: datetime,
    *,
    is_dry_run: bool = False,
    is_digested: bool = False,
) -> Taken:
    """
    Compare what was read with what we keep, and write what differs. The caller holds the shop's inbox.

    A record that the database refuses is left out and named; it does not hold up the others. `is_digested`: for a proof.
    """
    records, unrecoverable = _comparable(session, services, shop, found)
    is_withheld = bool(found.withheld)
    compared = comparing.compare(session, shop.id, records, read_at=read_at, is_withheld=is_withheld, is_digested=is_digested)
    if is_dry_run or not (compared.news or found.gone):
        return Taken(compared, unrecoverable)
    before = session.info.get(CANCELLED, 0)
    refused = _write(session, services, shop, [*compared.news, *found.gone], read_at)
    return Taken(compared, unrecoverable, refused, session.info.get(CANCELLED, 0) - before)


def again(session: Session, services: Services, shop: LeasedShop, found: Found, read_at: datetime | None = None) -> Compared:
    """Compare once more, as for a proof after what was read has been written."""
    records, _ = _comparable(session, services, shop, found)
    return comparing.compare(session, shop.id, records, read_at=read_at, is_withheld=bool(found.withheld))


def _comparable(session: Session, services: Services, shop: LeasedShop, found: Found) -> tuple[list[Change], list[Checkout]]:
    """What can be compared: without what erased people left behind, and with checkouts made whole where the store tells a part only."""
    batch = apply.Batch()
    batch.tell([one for one in found.records if not isinstance(one, CodeState)])
    privacy.sift(session, services.vault, shop.id, batch.told, batch.events)
    listed = batch.of(Checkout)
    others: list[Change] = [*batch.of(Product), *batch.of(Customer), *batch.of(Order)]
    others += [one for one in found.records if isinstance(one, CodeState)]
    if services.platforms[shop.platform].can.lists_whole_checkouts or not listed:
        return [*others, *listed], []
    whole, unrecoverable = comparing.complete_checkouts(session, shop.id, listed)
    return [*others, *whole], unrecoverable


def _write(
    session: Session, services: Services, shop: LeasedShop, news: Sequence[Change | Removed], read_at: datetime
) -> list[Change | Removed]:
    """Write in a savepoint; if that fails by halves, until the culprit stands alone. Returns those that were refused."""
    run(session, "savepoint taken")
    try:
        _save(session, services, shop, news, read_at)
    except Exception as error:
        if not is_refusal(error):
            raise
        session.expunge_all()
        run(session, "rollback to savepoint taken")
        log.warning("sync.refused", shop_id=shop.id, records=len(news), error=type(error).__name__)
    else:
        run(session, "release savepoint taken")
        return []
    if len(news) <= 1:
        return list(news)
    middle = len(news) // 2
    first = _write(session, services, shop, news[:middle], read_at)
    return first + _write(session, services, shop, news[middle:], read_at)


def _save(session: Session, services: Services, shop: LeasedShop, news: Sequence[Change | Removed], read_at: datetime) -> None:
    # Other content at the same version counts, as if a delivery had told it when it was read.
    batch = apply.Batch(read_at=read_at)
    events: list[Event] = [one for one in news if not isinstance(one, CodeState)]
    batch.tell(events)
    if batch.told:
        cancelled = apply.save(session, services, shop, batch, is_quiet=True)
        services.metrics.messages_cancelled(Channel.EMAIL.value, cancelled)
        session.info[CANCELLED] = session.info.get(CANCELLED, 0) + cancelled
    states = [one for one in news if isinstance(one, CodeState)]
    if states:
        # Before the codes: whoever decides about offers holds their work first, and codes after it.
        offer_work.note_codes(session, shop.id)
        codes.save_codes(session, shop.id, states, read_at)
