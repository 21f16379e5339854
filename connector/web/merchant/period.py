"""Which days a page tells about: the last 7, 30 or 90, or any range of up to a year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from connector.web.language import N_
from connector.web.tables import read_day, start_of

PRESETS = (7, 30, 90)
USUAL_DAYS = 30
MOST_DAYS = 366

NO_DAYS = N_("Please give both days of the range, the earlier one first.")
TOO_LONG = N_("A range may have up to 366 days.")


@dataclass(frozen=True, slots=True)
class Period:
    """
    Days from `first` to `last`, both included. `preset`: how many days back it is, if it was chosen like that.

    `problem`: why the range that was asked for is not this one.
    """

    first: date
    last: date
    preset: int | None = None
    problem: str = ""

    @property
    def length(self) -> int:
        """How many days there are."""
        return (self.last - self.first).days + 1

    def day(self, number: int) -> date:
        """The day of that number, counted from 0."""
        return self.first + timedelta(days=number)

    def starts(self, place: tzinfo) -> tuple[datetime, ...]:
        """The instants at which its days begin in some place, and the end of the last."""
        return tuple(start_of(self.day(number), place) for number in range(self.length + 1))


def read_period(query: Mapping[str, str], today: date) -> Period:
    """The period in an address: `days`, or `from` and `to`; the last 30 days unless something else is asked for."""
    usual = _last(USUAL_DAYS, today)
    if query.get("from") or query.get("to"):
        first, last = read_day(query.get("from", "")), read_day(query.get("to", ""))
        if first is None or last is None or first > last:
            return _with_problem(usual, NO_DAYS)
        if (last - first).days >= MOST_DAYS:
            return _with_problem(usual, TOO_LONG)
        return Period(first, last)
    return next((_last(days, today) for days in PRESETS if str(days) == query.get("days")), usual)


def today_in(places: Sequence[tzinfo], now: datetime) -> date:
    """The day it is now; where the shops are far apart, the latest of theirs."""
    return max((now.astimezone(place).date() for place in places), default=now.date())


def _last(days: int, today: date) -> Period:
    return Period(today - timedelta(days=days - 1), today, days)


def _with_problem(period: Period, problem: str) -> Period:
    return Period(period.first, period.last, period.preset, problem)
