"""What a comparison says of gaps: a report with what was recovered, and owners are told once until all is well again."""

import structlog

from connector.rules.gaps import find_gap, gap_words
from connector.store import gap_reports, notices, shops
from connector.store.db import app_now
from connector.store.notices import Cause
from sync.reconcile import Turn

log = structlog.get_logger()


def report(turn: Turn, made_anew: frozenset[str], silent: frozenset[str]) -> None:
    """
    Write down the gap that a turn found, if it did, and tell the owners of a time without webhooks.

    `made_anew`: topics whose webhooks were off until now; `silent`: those that were not heard though something changed.
    """
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        now = app_now(session)
        shop = shops.get_shop(session, turn.shop_id)
        last = gap_reports.newest(session, turn.shop_id)
        # What is found in a later turn belongs to the gap that an earlier one found.
        known = [(last.since, last.until)] if last is not None else []
        if silent:
            known.append((turn.since, now))
        gap = find_gap(turn.noted, known, made_anew | silent, (turn.since, now) if made_anew else None)
        if gap is None:
            gap_reports.recount(session, turn.shop_id)
            if turn.is_over and not silent:
                notices.settle(session, shop.account_id, Cause.GAP_FOUND, notice_key(shop.public_id))
            return
        row = gap_reports.note(session, turn.shop_id, gap)
        words = gap_words(gap_reports.to_gap(row), shop.timezone)
        if gap.is_outage:
            key = notice_key(shop.public_id)
            if not notices.tell(session, turn.services.vault, shop, Cause.GAP_FOUND, key, words):
                notices.retell(session, shop.account_id, Cause.GAP_FOUND, key, words)
    log.warning("gap.reported", shop_id=turn.shop_id, report=row.public_id, words=words, topics=sorted(made_anew | silent))


def notice_key(shop: str) -> str:
    """What a notice about a shop's webhooks goes by."""
    return f"{shop} webhooks"
