"""Lists in pages: filters that live in the address, links to the pages beside, and the same list as a file for spreadsheets."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from urllib.parse import urlencode

from starlette.responses import StreamingResponse

from connector.web.inputs import known_id

MOST_TEXT = 200
FLUSH_ROWS = 200
BYTE_ORDER_MARK = "\ufeff"
"""With it, spreadsheets read the file as UTF-8."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Pager:
    """Links to the pages beside this one; empty: there is none."""

    newer: str = ""
    older: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of a list begins (`before`, going on to what is older) or ends (`after`); both None: at the newest."""

    before: str | None = None
    after: str | None = None


def address(path: str, values: Mapping[str, str]) -> str:
    """The address of a page with these filters; empty ones are left out."""
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{path}?{query}" if query else path


def read_cursor(query: Mapping[str, str]) -> Cursor:
    """The cursor in an address. Raises NotFound for a name that is none."""
    before, after = query.get("before", ""), query.get("after", "")
    if before:
        return Cursor(before=known_id(before))
    return Cursor(after=known_id(after)) if after else Cursor()


def pager(path: str, values: Mapping[str, str], *, newest: str, oldest: str, has_newer: bool, has_older: bool) -> Pager:
    """The links around a page that begins with the row `newest` and ends with `oldest`; they keep the filters."""
    return Pager(
        newer=address(path, {**values, "after": newest}) if has_newer else "",
        older=address(path, {**values, "before": oldest}) if has_older else "",
    )


def read_text(text: str) -> str:
    """What was typed into a filter, without the blanks around it; signs that no text has are left out."""
    return "".join(sign for sign in text if sign.isprintable()).strip()[:MOST_TEXT]


def read_day(text: str) -> date | None:
    """A day as date fields send it (2026-11-30); None for anything else."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
    return day if day is not None and 2000 <= day.year < 2100 else None


def start_of(day: date, place: tzinfo) -> datetime:
    """The instant at which a day begins in some place."""
    return datetime.combine(day, time(), place)


def end_of(day: date, place: tzinfo) -> datetime:
    """The instant at which a day ends: the beginning of the next."""
    return start_of(day + timedelta(days=1), place)


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingResponse:
    """A file of comma-separated values, sent while `rows` are read. `name`: letters, digits and hyphens."""
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(_written(header, rows), media_type="text/csv; charset=utf-8", headers=headers)


def safe_cell(value: object) -> str:
    """
    A value as the text of a cell.

    Spreadsheets run what begins like a formula, even out of quotation marks: such texts begin with an apostrophe, which spreadsheets
    take for "this is a text" (SEC-198). Numbers of ours are no formulas.
    """
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) and not isinstance(value, int) else text


def _written(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    buffer = io.StringIO()
    buffer.write(BYTE_ORDER_MARK)
    writer = csv.writer(buffer)
    writer.writerow([safe_cell(title) for title in header])
    for number, row in enumerate(rows, 1):
        writer.writerow([safe_cell(value) for value in row])
        if number % FLUSH_ROWS == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
