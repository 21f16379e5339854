"""
Going through a store's lists by pages without losing a record, while records change, appear and vanish.

Page numbers shift when a record leaves its place. So a walk by time of change moves the instant forward after each page, and pages are
counted only among records of one instant; each further page overlaps the one before by a record, which must still be in its place.
Where a walk stands travels as an opaque text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from connector import decoding
from connector.platforms import PayloadError, Rejected, TransientError
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.client import Head, Listed
from integrations.woocommerce.pace import pace_of
from integrations.woocommerce.payloads import PLATFORM
from integrations.woocommerce.steering import MOST_RECORDS
from integrations.woocommerce.values import instant

OVERLAP = timedelta(minutes=1)
"""A change is seen only when the store's request has ended, and its clock is not ours: so much earlier is asked for."""
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
BY_NUMBER: Mapping[str, str] = {"orderby": "id", "order": "asc"}
MOST_TRIES = 3
MOST_RESTARTS = 50


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Where a walk stands: records changed after `after`, of which `seen` were passed, the last of them `last`.

    `part`: which of several lists. `tries`: fruitless pages in a row. `first`: what the first page of this instant began with;
    `restarts`: how often it was begun anew. `offset`, `wary`: see `_clocks_went_back`.
    """

    part: str = ""
    after: datetime | None = None
    seen: int = 0
    last: str = ""
    tries: int = 0
    first: str = ""
    restarts: int = 0
    offset: int | None = None
    wary: datetime | None = None

    def text(self) -> str:
        """As a cursor."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Source:
    """
    A list of a store. `key`: the field that names a record; `tells`: the one that says when it changed.

    `is_exact`: records of the very instant that is asked for come too, and times go with a Z. `most`: so many on a page.
    """

    name: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    key: str = "id"
    tells: str = "date_modified_gmt"
    is_exact: bool = False
    most: int = MOST_RECORDS


@dataclass(frozen=True, slots=True)
class Step:
    """What one page brought that was not seen yet, and where to go on; None after the last."""

    records: list[msgspec.Raw]
    ids: list[str]
    heads: list[Head]
    place: Place | None
    answered_at: datetime | None = None
    total: int | None = None


def place_of(cursor: str | None) -> Place:
    """Where a cursor stands; the beginning without one. Raises Rejected for what is no cursor of ours."""
    if cursor is None:
        return Place()
    try:
        return decoding.decode(cursor, Place)
    except msgspec.DecodeError as error:
        raise Rejected("a cursor that is none of ours", platform=PLATFORM, call="changes") from error


def by_change(call: Call, source: Source, since: datetime | None, until: datetime | None, place: Place) -> Step:
    """
    Records changed at or after `since` (a minute more) and before `until`, oldest change first.

    The filter is strictly greater and in whole seconds, so a second earlier is asked for; times go as UTC without a zone plus
    `dates_are_gmt`: with a Z beside that flag, stores east of UTC miss records.
    """
    after = place.after or first_instant(source, since)
    params = span(source, after, until)
    found, fresh, is_last, place = _page(call, source, params, msgspec.structs.replace(place, after=after), _in_its_place)
    heads = found.heads[len(found.heads) - len(fresh) :]
    times = [at for head in heads if (at := told(head, source.tells)) is not None]
    newest = max(times, default=None)
    if is_last or (until is not None and newest is not None and newest >= until):
        return _step(found, fresh, None)
    if newest is None:
        return _step(found, fresh, place)
    place = _clocks_went_back(place, heads)
    back = HOUR + SECOND if place.wary and newest < place.wary else timedelta(0) if source.is_exact else SECOND
    if after is None or newest - back > after:
        place = msgspec.structs.replace(place, after=newest - back, seen=0, last="", tries=0, first="", restarts=0)
    return _step(found, fresh, place)


def first_instant(source: Source, since: datetime | None) -> datetime | None:
    """From when on a store is asked for what changed at or after `since`."""
    if since is None:
        return None
    return _floor(since) - OVERLAP - (timedelta(0) if source.is_exact else SECOND)


def span(source: Source, after: datetime | None, until: datetime | None) -> dict[str, str]:
    """The parameters for what changed in a span of time, oldest change first."""
    if source.is_exact:
        return {"modified_after": f"{after or datetime.fromtimestamp(0, UTC):%Y-%m-%dT%H:%M:%SZ}"}
    params = {"orderby": "modified", "order": "asc", "dates_are_gmt": "true"}
    if after is not None:
        params["modified_after"] = f"{after:%Y-%m-%dT%H:%M:%S}"
    if until is not None:
        params["modified_before"] = _end(until)
    return params


def numbers(until: datetime | None) -> dict[str, str]:
    """The parameters for all records that did not change at or after `until`, by number."""
    return {**BY_NUMBER, "dates_are_gmt": "true", "modified_before": _end(until)} if until is not None else dict(BY_NUMBER)


def by_id(call: Call, source: Source, place: Place, params: Mapping[str, str] = BY_NUMBER) -> Step:
    """All records of a list, by number: what was deleted for good, which nobody tells, is what is missing from it."""
    found, fresh, is_last, place = _page(call, source, params, place, beyond_last)
    return _step(found, fresh, None if is_last else place)


def newest_first(call: Call, source: Source, since: datetime, place: Place) -> Step:
    """Customers who registered at or after `since` (a minute more): the only time by which they can be listed."""
    found, fresh, is_last, place = _page(call, source, {"orderby": "registered_date", "order": "desc"}, place, _after_last)
    heads = found.heads[len(found.heads) - len(fresh) :]
    is_past = any((at := told(head, "date_created_gmt")) is not None and at < _floor(since) - OVERLAP for head in heads)
    return _step(found, fresh, None if is_last or is_past else place)


def window(seen: int, most: int) -> tuple[int, int]:
    """Size and number of a page that holds the last record seen and, among about at most so many, as many new ones as can be."""
    if seen == 0:
        return most, 1
    size = max(range(most, most // 2, -1), key=lambda size: -seen % size)
    while seen % size == 0:
        # All of these divide it, as 6 to 10 do 22,680: a larger page, for one that ends there would bring nothing.
        size = max(size, most) + 1
    return size, (seen - 1) // size + 1


def _page(
    call: Call,
    source: Source,
    params: Mapping[str, str],
    place: Place,
    fresh_from: Callable[[Sequence[str], str, int], int | None],
) -> tuple[Listed, list[msgspec.Raw], bool, Place]:
    """
    The page that follows `place`: all of it, what of it is new, whether it is the last, and the place behind it.

    `fresh_from`: at which position of these numbers the new ones begin, by the last one seen and where it should stand; None if that
    cannot be told: then some may have slipped between two pages, and the walk steps back. Raises TransientError for a store that
    repeats its answers, or changes faster than it can be read.
    """
    while True:
        size, number = window(place.seen, min(source.most, pace_of(call.transport, call.access.domain).records))
        asked = {**source.params, **params, "per_page": str(size), "page": str(number)}
        found = client.list_records(call, source.name, source.path, asked, key=source.key)
        is_last = number >= found.pages if found.pages is not None else len(found.ids) < size
        first = fresh_from(found.ids, place.last, place.seen - 1 - (number - 1) * size) if place.last else 0
        if number > 1 and found.ids[:1] == [place.first]:
            first = len(found.ids)
        if first is None and number > 1 and place.tries < MOST_TRIES:
            place = _back(place, (number - 1) * size, fresh_from)
            continue
        fresh = found.records[first or 0 :]
        if not fresh and not is_last and place.tries >= MOST_TRIES - 1:
            words = "the store answers every page alike: something there caches its REST API"
            raise TransientError(words, platform=PLATFORM, call=source.name)
        last = next((one for one in reversed(found.ids[first or 0 :]) if one), place.last)
        tries = 0 if fresh else place.tries + 1
        begins = next(iter(found.ids), "") if number == 1 else place.first
        return found, fresh, is_last, msgspec.structs.replace(place, seen=number * size, last=last, tries=tries, first=begins)


def _after_last(ids: Sequence[str], last: str, _: int) -> int | None:
    """Behind the last one seen, wherever newer ones before it have moved it."""
    return ids.index(last) + 1 if last in ids else None


def _in_its_place(ids: Sequence[str], last: str, place: int) -> int | None:
    """Behind the last one seen. Others may have left their places before it; one that stands later has changed itself and gone there."""
    position = ids.index(last) if last in ids else None
    return position + 1 if position is not None and position <= place else None


def beyond_last(ids: Sequence[str], last: str, _: int) -> int | None:
    """Numbers only grow: new are the larger ones, and none is missing if a smaller one or the same stands before them."""
    passed = [position for position, one in enumerate(ids) if one and int(one) <= int(last)]
    return passed[-1] + 1 if passed else None


def _back(place: Place, before: int, fresh_from: Callable[[Sequence[str], str, int], int | None]) -> Place:
    """Numbers let a walk go back page by page; by time it begins its instant anew, since the record it knew stands elsewhere now."""
    if fresh_from is beyond_last:
        return msgspec.structs.replace(place, seen=before)
    if place.restarts >= MOST_RESTARTS:
        raise TransientError("the store changes faster than it can be read", platform=PLATFORM, call="changes")
    return msgspec.structs.replace(place, seen=0, last="", tries=place.tries + 1, restarts=place.restarts + 1)


def _step(found: Listed, fresh: list[msgspec.Raw], place: Place | None) -> Step:
    first = len(found.ids) - len(fresh)
    return Step(fresh, found.ids[first:], found.heads[first:], place, found.answered_at, found.total)


def told(head: Head, name: str) -> datetime | None:
    """A time of a record; None if it makes no sense."""
    found = getattr(head, name)
    try:
        return instant(found) if isinstance(found, str) else None
    except PayloadError:
        return None


def offset_of(head: Head) -> int | None:
    """How many seconds a record's site time is ahead of UTC; None where it does not tell both."""
    local, gmt = told(head, "date_modified"), told(head, "date_modified_gmt")
    return None if local is None or gmt is None else round((local - gmt).total_seconds())


def _clocks_went_back(place: Place, fresh: Sequence[Head]) -> Place:
    """
    Notes when a store's clocks were put back.

    WordPress sorts posts by site time: in that night an hour is there twice, and its records come mixed. Until two hours later the
    instant moves forward only to an hour before the newest record, so that none is left behind.
    """
    offset, wary = place.offset, place.wary
    for head in fresh:
        now, gmt = offset_of(head), told(head, "date_modified_gmt")
        if now is None or gmt is None:
            continue
        if offset is not None and now < offset and (wary is None or gmt >= wary):
            wary = gmt + 2 * HOUR
        offset = now
    return msgspec.structs.replace(place, offset=offset, wary=wary)


def _end(until: datetime) -> str:
    """The next whole second, for the filter knows no parts of one; what is later within it is sorted out when it is read."""
    return f"{_floor(until + SECOND - timedelta(microseconds=1)):%Y-%m-%dT%H:%M:%S}"


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
