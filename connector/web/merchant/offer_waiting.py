"""What a store has still to do for an offer, in words, and what was cleared away in it."""

from dataclasses import dataclass

from connector.rules.zones import zone
from connector.store import offer_codes
from connector.store.db import Session
from connector.store.offer_codes import Pending
from connector.store.tables import ShopRow
from connector.web.asking import Ask
from connector.web.formats import moment
from connector.web.language import N_

SINCE = N_("%(what)s (since %(moment)s; tried %(times)s times)")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is wanted of the store and not done yet, one phrase each; `cleared`: how many codes that nobody used were cleared away."""

    texts: tuple[str, ...] = ()
    cleared: int = 0


def waiting_of(ask: Ask, session: Session, shop: ShopRow, offer_id: int) -> Waiting:
    """What the store of an offer has still to do. Codes that are kept ready for later are no news while the first tries are under way."""
    pending = [one for one in offer_codes.pending_of(session, offer_id) if one.wanted != "deleted" or one.attempts]
    return Waiting(tuple(_text(ask, shop, one) for one in pending), offer_codes.cleared_of(session, offer_id))


def _text(ask: Ask, shop: ShopRow, pending: Pending) -> str:
    what = _wish(ask, pending) % {"num": pending.count}
    if not pending.attempts:
        return what
    since = moment(pending.since, zone(shop.timezone), ask.language).short
    return ask.gettext(SINCE) % {"what": what, "moment": since, "times": pending.attempts}


def _wish(ask: Ask, pending: Pending) -> str:
    count = pending.count
    if pending.wanted == "issued":
        return ask.ngettext("make %(num)d code", "make %(num)d codes", count)
    if pending.wanted == "suspended":
        return ask.ngettext("end %(num)d code that is over or was taken back", "end %(num)d codes that are over or were taken back", count)
    return ask.ngettext("clear %(num)d code away that nobody used", "clear %(num)d codes away that nobody used", count)
