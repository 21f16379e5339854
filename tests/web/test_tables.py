"""Filters in addresses, days, and files for spreadsheets."""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connector.errors import NotFound
from connector.web import tables
from connector.web.tables import Cursor, Pager

NO_DAYS = ["", "2026-02-30", "2026-2-3", "20260203", "1999-12-31", "9999-12-31", "2026-W01-1", "x" * 10, "٢٠٢٦-٠١-٠١"]
FORMULAS = ['=HYPERLINK("https://evil.example","x")', "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"]
NAME = "chk_0198c5f2-0000-7000-8000-000000000000"


def content(answer: object) -> str:
    """All of a streamed answer."""

    async def collect() -> str:
        return "".join([part async for part in answer.body_iterator])  # type: ignore[attr-defined]

    return asyncio.run(collect())


def test_an_address_holds_what_was_chosen_and_nothing_else() -> None:
    assert tables.address("/app", {"state": "", "q": "a b&c=é", "from": "2026-11-01"}) == "/app?q=a+b%26c%3D%C3%A9&from=2026-11-01"
    assert tables.address("/app", {"state": ""}) == "/app"


def test_links_to_the_pages_beside_keep_the_filters() -> None:
    found = tables.pager("/l", {"q": "x", "state": ""}, newest="n", oldest="o", has_newer=True, has_older=True)
    assert found == Pager(newer="/l?q=x&after=n", older="/l?q=x&before=o")
    assert tables.pager("/l", {}, newest="", oldest="", has_newer=False, has_older=False) == Pager()


def test_a_cursor_is_a_name_of_ours_or_nothing() -> None:
    assert tables.read_cursor({}) == Cursor()
    assert tables.read_cursor({"before": NAME, "after": NAME}) == Cursor(before=NAME)
    assert tables.read_cursor({"after": NAME}) == Cursor(after=NAME)
    with pytest.raises(NotFound):
        tables.read_cursor({"before": "' or 1=1"})


@pytest.mark.parametrize("text", NO_DAYS)
def test_what_is_no_day_is_none(text: str) -> None:
    assert tables.read_day(text) is None


def test_a_day_lasts_from_midnight_to_midnight_where_the_shop_is() -> None:
    day = tables.read_day("2026-10-25")
    assert day == date(2026, 10, 25)
    paris = ZoneInfo("Europe/Paris")
    assert tables.start_of(day, paris) == datetime(2026, 10, 25, tzinfo=paris)
    length = tables.end_of(day, paris).timestamp() - tables.start_of(day, paris).timestamp()
    assert length == 25 * 3600


def test_typed_text_is_trimmed_and_cut() -> None:
    assert tables.read_text("  anna\x00 p\n ") == "anna p"
    assert len(tables.read_text("x" * 300)) == tables.MOST_TEXT


@pytest.mark.spec("SEC-198")
@pytest.mark.parametrize(
    "text", ['=HYPERLINK("https://evil.example","x")', "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"]
)
def test_what_looks_like_a_formula_is_a_text_in_the_file(text: str) -> None:
    answer = tables.csv_response("list", ["Name", text], [[text, "a", 'say "hi", now'], ["b", text, None]])
    rows = list(csv.reader(io.StringIO(content(answer).removeprefix("\ufeff"), newline="")))
    assert rows == [["Name", f"'{text}"], [f"'{text}", "a", 'say "hi", now'], ["b", f"'{text}", ""]]


@given(some.text(max_size=20))
def test_no_text_at_all_begins_a_cell_with_a_sign_of_formulas(text: str) -> None:
    cell = tables.safe_cell(text)
    assert not cell.startswith(tables.FORMULA_SIGNS)
    assert cell in (text, f"'{text}")


def test_our_own_numbers_stay_numbers() -> None:
    assert [tables.safe_cell(value) for value in (Decimal("-1E+3"), Decimal("12.50"), -3, 7)] == ["-1000", "12.50", "-3", "7"]


def test_a_file_is_sent_while_its_rows_are_read_and_says_how_it_is_encoded() -> None:
    read: list[int] = []

    def rows() -> Iterator[list[object]]:
        for number in range(tables.FLUSH_ROWS * 3):
            read.append(number)
            yield [number, "é"]

    answer = tables.csv_response("checkouts", ["n", "t"], rows())
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="checkouts.csv"'
    assert read == []
    text = content(answer)
    assert text.startswith("\ufeffn,t\r\n0,é\r\n")
    assert text.count("\r\n") == 1 + len(read) == 1 + tables.FLUSH_ROWS * 3
