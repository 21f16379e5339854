"""The life of one checkout as one list by time: what the shopper did, what was decided, what was sent, what came of it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from connector.store.automation_tables import MessageRow
from connector.store.overview import Found
from connector.web.formats import Moment, moment, money
from connector.web.language import N_, translator
from connector.web.phrases import CONVERTED_BY, reason_text

ORDER_KNOWN_BY = N_("Known by %(by)s")
CAPTURED = N_("Captured: the first news of this shopper arrived")
Words = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `kind` is the colour of its dot: good, warn, bad, or nothing."""

    at: Moment
    text: str
    detail: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Raw:
    """An event before it is written down; of what happened at one instant the lower `rank` comes first."""

    at: datetime
    rank: int
    text: str
    detail: str = ""
    kind: str = ""


def timeline(found: Found, place: tzinfo, language: str) -> tuple[Event, ...]:
    """All that is known to have happened, the oldest first."""
    words = translator(language).gettext
    raw = [
        *_checkout(found, words),
        *_captured(found, words),
        *_versions(found, language),
        *_decisions(found, words),
        *_messages(found, words),
    ]
    raw += _order(found, language)
    return tuple(
        Event(moment(one.at, place, language), one.text, one.detail, one.kind) for one in sorted(raw, key=lambda one: (one.at, one.rank))
    )


def _checkout(found: Found, words: Words) -> Iterator[_Raw]:
    row = found.row
    yield _Raw(row.created_at, 0, words(N_("The cart was started")) if row.stage == "cart" else words(N_("The checkout was started")))
    if row.abandoned_at is not None:
        yield _Raw(row.abandoned_at, 2, words(N_("It counts as abandoned")), kind="warn")
    ends = ((row.completed_at, N_("The store says: completed")), (row.closed_at, N_("The store closed the checkout")))
    for at, text in (*ends, (row.deleted_at, N_("The store deleted the checkout"))):
        if at is not None:
            yield _Raw(at, 6, words(text))


def _captured(found: Found, words: Words) -> Iterator[_Raw]:
    """When we heard of it, which may be long after it began: the first delivery since then that names the person."""
    heard = [one for one in found.deliveries if one.state == "applied" and one.received_at >= found.row.created_at]
    if heard:
        first = min(heard, key=lambda one: one.received_at)
        yield _Raw(first.received_at, 1, words(CAPTURED), first.topic)


def _versions(found: Found, language: str) -> Iterator[_Raw]:
    """What the shopper changed: versions that differ from the one before them. The first one is the start itself."""
    oldest_first = list(reversed(found.versions))
    for before, version in itertools.pairwise(oldest_first):
        if version.fingerprint != before.fingerprint:
            pieces = sum(version.quantities.values())
            detail = translator(language).ngettext("%(num)d piece in the cart", "%(num)d pieces in the cart", pieces) % {"num": pieces}
            yield _Raw(version.source_version, 1, translator(language).gettext(N_("The shopper changed something")), detail)


def _decisions(found: Found, words: Words) -> Iterator[_Raw]:
    for decision in found.decisions:
        for entry in decision.history:
            text = words(N_("Decision: %(reason)s")) % {"reason": words(reason_text(entry["reason"]))}
            yield _Raw(datetime.fromisoformat(entry["at"]), 4, text)


def _messages(found: Found, words: Words) -> Iterator[_Raw]:
    for message in found.messages:
        yield from _message(message, words)


def _message(message: MessageRow, words: Words) -> Iterator[_Raw]:
    yield _Raw(message.queued_at, 3, words(N_("A reminder was queued")), message.address)
    if message.handed_over_at is not None:
        yield _Raw(message.handed_over_at, 5, words(N_("The reminder was sent")), message.address, "good")
    if message.clicked_at is not None:
        yield _Raw(message.clicked_at, 5, words(N_("The shopper opened the link in the reminder")), kind="good")


def _order(found: Found, language: str) -> Iterator[_Raw]:
    order, words = found.order, translator(language).gettext
    if order is None:
        return
    text = words(N_("Order %(number)s was placed: %(total)s")) % {
        "number": order.number or order.platform_id,
        "total": money(order.total, order.currency, language),
    }
    by = found.row.converted_by or ""
    yield _Raw(order.placed_at, 6, text, words(ORDER_KNOWN_BY) % {"by": words(CONVERTED_BY.get(by, by))}, "good")
