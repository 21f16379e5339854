"""
A long list in legs: Shopify's paging ends at 25,000 objects of one search, so a new search begins where that one ends.

Lists go by change: the next leg begins at the instant of the last change that was read, and what changed at that very instant comes
again. Abandoned checkouts go by number, and the next leg begins behind the last one.
"""

from dataclasses import dataclass

from connector.platforms import TransientError
from integrations.shopify.answers import PLATFORM

REACH = 25_000
"""So many objects of one search can be paged through."""


@dataclass(frozen=True, slots=True)
class Leg:
    """How many objects of the leg were read, where it begins (`""`: where the list does), and Shopify's own cursor in it."""

    passed: int = 0
    start: str = ""
    after: str | None = None

    @property
    def place(self) -> tuple[str, str | None]:
        """Where in the list this is: a walk that comes to the same place twice goes round in circles."""
        return self.start, self.after

    def following(self, after: str | None, read: int, end: str, reach: int = REACH) -> str | None:
        """
        The cursor behind a page of `read` objects: in this leg, or in the next, which begins at `end`; None after the last page.

        Raises TransientError where more changed at one instant than can be paged through: nothing is passed over in silence.
        """
        if after is None:
            return None
        # Another page of the same size must fit.
        if self.passed + 2 * read <= reach:
            return f"{self.passed + read}~{self.start}~{after}"
        if end in ("", self.start):
            raise TransientError("more changed at once than can be read", platform=PLATFORM, call="changes", status=200)
        return f"0~{end}~"


def leg_of(cursor: str | None) -> Leg:
    """The leg of a cursor that `following` gave."""
    passed, _, rest = (cursor or "").partition("~")
    start, separator, after = rest.partition("~")
    if not separator or not passed.isdigit():
        return Leg(after=cursor)
    return Leg(int(passed), start, after or None)
