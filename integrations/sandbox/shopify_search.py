"""
Shopify's search syntax (`updated_at:>='2026-11-21' AND -status:closed`), paging by cursors, and counts.

A field that the list does not have is passed over with a warning, as on Shopify. Source: shopify.dev, "Shopify API search syntax".
"""

import base64
import hashlib
import heapq
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from graphql import GraphQLError

Json = dict[str, Any]
T = TypeVar("T")
MAX_PAGE = 250
REACH = 25_000
"""So many objects of one search can be paged through. Source: shopify.dev, "API limits"; the words of the refusal are ours."""
_TERM = re.compile(
    r"\s*(?P<minus>-|NOT\s+)?(?:(?P<field>[a-z_]+):\s*(?P<sign>>=|<=|>|<)?\s*)?(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s]+)"
)
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True, slots=True)
class WholeDays:
    """A time of which a filter sees the day only."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """
    How one kind of record is searched and sorted.

    `filters` give what a filter compares with: a datetime, WholeDays, int, bool, text, several of these, or None. `sorts` give
    something that sorts and goes into a cursor; `words` the text that plain words are looked for in.
    """

    filters: Mapping[str, Callable[[T], Any]]
    sorts: Mapping[str, Callable[[T], Any]]
    number: Callable[[T], int]
    words: Callable[[T], str] = lambda _: ""


@dataclass(slots=True)
class Search:
    """The time zone of times without one, and what was strange in searches so far."""

    zone: ZoneInfo
    warnings: list[Json] = field(default_factory=list)

    def select(self, listing: Listing[T], records: Iterable[T], query: str | None) -> list[T]:
        """The records that fit."""
        if not query or not query.strip():
            return list(records)
        choices = [self._terms(listing, part, query) for part in re.split(r"\sOR\s", query)]
        return [one for one in records if any(all(test(one) for test in tests) for tests in choices)]

    def _terms(self, listing: Listing[T], text: str, query: str) -> list[Callable[[T], bool]]:
        tests: list[Callable[[T], bool]] = []
        for found in _TERM.finditer(text):
            if found["field"] is None and found["value"] == "AND":
                continue
            test = self._test(listing, found, query)
            if test is not None:
                tests.append(_negated(test) if found["minus"] else test)
        return tests

    def _test(self, listing: Listing[T], found: re.Match[str], query: str) -> Callable[[T], bool] | None:
        value, name = _bare(found["value"]), found["field"]
        if name is None:
            return lambda one: any(word.startswith(value.rstrip("*").casefold()) for word in listing.words(one).casefold().split())
        if name not in listing.filters:
            warning = {"field": name, "message": "Invalid search field for this query.", "code": "invalid_field"}
            self.warnings.append({"query": query, "warnings": [warning]})
            return None
        get, sign = listing.filters[name], found["sign"]
        wanted: dict[type, Any] = {}

        def read(held: Any) -> Any:
            """The filter's text as what is held; read once for each type."""
            if type(held) not in wanted:
                wanted[type(held)] = self._wanted(held, value)
            return wanted[type(held)]

        return lambda one: self._fits(get(one), sign, value, read)

    def _fits(self, held: Any, sign: str | None, value: str, read: Callable[[Any], Any]) -> bool:
        if isinstance(held, list | tuple | set):
            return any(self._fits(one, sign, value, read) for one in held)
        if held is None:
            return False
        if value == "*" and sign is None:
            return bool(held)
        wanted = read(held)
        if isinstance(held, WholeDays):
            held = held.at.astimezone(self.zone).date()
        elif isinstance(held, datetime):
            held = held.replace(microsecond=0)
        elif isinstance(held, str):
            held = held.casefold()
        if sign is not None:
            return wanted is not None and _SIGNS[sign](held, wanted)
        if isinstance(held, datetime) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return held.astimezone(self.zone).date() == date.fromisoformat(value)
        return bool(held in wanted if isinstance(held, str) else held == wanted)

    def _wanted(self, held: Any, value: str) -> Any:
        """A filter's text as something that compares with what is held; None if it is not of that kind."""
        try:
            if isinstance(held, WholeDays):
                return self._instant(value).astimezone(self.zone).date()
            if isinstance(held, datetime):
                return self._instant(value)
            if isinstance(held, bool):
                return value.casefold() == "true"
            if isinstance(held, int):
                return int(value.rpartition("/")[2])
        except ValueError:
            return None
        return [one.strip().casefold() for one in value.split(",")]

    def _instant(self, value: str) -> datetime:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return datetime.combine(date.fromisoformat(value), time(), self.zone)
        at = datetime.fromisoformat(value)
        return at if at.tzinfo else at.replace(tzinfo=self.zone)


def page(
    records: Sequence[T],
    listing: Listing[T],
    arguments: Mapping[str, Any],
    to_object: Callable[[T], Json],
    *,
    is_whole: bool = False,
    reach: int = REACH,
) -> Json:
    """
    One page as a connection. Its cursors hold the last sort value, so records that move meanwhile are met again or missed.

    `is_whole`: all on one page (a bulk query). Raises GraphQLError for a strange page size, a cursor of another query, or one behind the
    first `reach` records.
    """
    sort = listing.sorts.get(str(arguments.get("sortKey")), listing.number)
    is_backward = bool(arguments.get("reverse"))
    rows = [(sort(one), listing.number(one), one) for one in records]
    bound = _fingerprint(arguments)
    size, is_last = (len(rows), False) if is_whole else _size(arguments)
    after, before = (_place(arguments.get(name), bound, rows) for name in ("after", "before"))
    inside = [row for row in rows if after is None or _passed(row, after, is_backward)]
    if after is not None and len(rows) - len(inside) >= reach:
        raise GraphQLError(f"Pagination is limited to {reach} objects.", extensions={"code": "BAD_REQUEST"})
    inside = [row for row in inside if before is None or _passed(row, before, not is_backward)]
    # A page of a long list is picked out of it without sorting all of it.
    pick = heapq.nlargest if is_backward is not is_last else heapq.nsmallest
    chosen = pick(size, inside, key=_order)
    if is_last:
        chosen.reverse()
    ends = [max(rows, key=_order)[:2], min(rows, key=_order)[:2]] if rows else [None, None]
    first, last = ends if is_backward else ends[::-1]
    cursors = [_cursor(row[0], row[1], bound) for row in chosen]
    nodes = [to_object(row[2]) for row in chosen]
    # Something comes before the first row on the page, or after the last one.
    info = {
        "hasNextPage": bool(chosen) and chosen[-1][:2] != last,
        "hasPreviousPage": bool(chosen) and chosen[0][:2] != first,
        "startCursor": cursors[0] if cursors else None,
        "endCursor": cursors[-1] if cursors else None,
    }
    return {"nodes": nodes, "edges": [{"cursor": c, "node": n} for c, n in zip(cursors, nodes, strict=True)], "pageInfo": info}


def count(number: int, limit: int | None) -> Json:
    """As `…Count` fields have it: exact up to the limit."""
    if limit is not None and number > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": number, "precision": "EXACT"}


def _negated(test: Callable[[T], bool]) -> Callable[[T], bool]:
    return lambda one: not test(one)


def _bare(value: str) -> str:
    if value[0] in "'\"" and value[-1] == value[0] and len(value) > 1:
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _order(row: tuple[Any, int, Any]) -> tuple[Any, int]:
    return row[:2]


def _size(arguments: Mapping[str, Any]) -> tuple[int, bool]:
    first, last = arguments.get("first"), arguments.get("last")
    if (first is None) == (last is None):
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    name, size = ("first", first) if first is not None else ("last", last)
    if not isinstance(size, int) or size < 0 or size > MAX_PAGE:
        raise GraphQLError(f"{name} must be between 0 and {MAX_PAGE}", extensions={"code": "BAD_REQUEST"})
    return size, first is None


def _fingerprint(arguments: Mapping[str, Any]) -> str:
    """A cursor belongs to one search in one order."""
    asked = {name: value for name, value in arguments.items() if name not in {"first", "last", "after", "before"}}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _cursor(value: Any, number: int, bound: str) -> str:
    shown = value.isoformat() if isinstance(value, datetime) else value
    return base64.b64encode(json.dumps({"last_id": number, "last_value": shown, "of": bound}).encode()).decode()


def _place(cursor: str | None, bound: str, rows: Sequence[tuple[Any, int, Any]]) -> tuple[Any, int] | None:
    """Where a cursor stands among the rows, in their own kind of value."""
    if not cursor:
        return None
    try:
        content = json.loads(base64.b64decode(cursor, validate=True))
        value, number, of = content["last_value"], content["last_id"], content["of"]
    except (ValueError, KeyError, TypeError):
        raise GraphQLError(f"Invalid cursor: {cursor}", extensions={"code": "BAD_REQUEST"}) from None
    if of != bound:
        raise GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "BAD_REQUEST"})
    return (datetime.fromisoformat(value) if rows and isinstance(rows[0][0], datetime) else value, number)


def _passed(row: tuple[Any, int, Any], place: tuple[Any, int], is_backward: bool) -> bool:
    return row[:2] < place if is_backward else row[:2] > place
