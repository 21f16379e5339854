"""
What is known of a Contact: each field keeps the newest thing that was said of it; silence never empties a field (AC-47, AC-48).

Versions may be heard in any order and more than once; the outcome is the same.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

FIELDS = ("first_name", "last_name", "company", "phone_raw", "phone_e164", "language")


class Saying(NamedTuple):
    """
    One field's value as one record told it at one instant.

    `text` is what was written down where `value` is only our reading of it; blank: the value itself.
    """

    field: str
    value: str
    at: datetime
    text: str = ""

    @property
    def order(self) -> tuple[datetime, str, str]:
        """The greater one counts. Both columns of a phone go by its text, so that they never come from two phones."""
        return self.at, self.text or self.value, self.value


def sayings(at: datetime, values: Mapping[str, str | None]) -> list[Saying]:
    """What a record says, blanks left out. A phone is one fact in two columns: both change together."""
    said = [Saying(name, word, at) for name, value in values.items() if value and name != "phone_e164" and (word := value.strip())]
    if raw := (values.get("phone_raw") or "").strip():
        said.append(Saying("phone_e164", values.get("phone_e164") or "", at, raw))
    return said


def recall(values: Mapping[str, str | None], known_at: Mapping[str, datetime]) -> dict[str, Saying]:
    """What is known already, from a contact's fields and when each was said."""
    return {
        field: Saying(field, values.get(field) or "", at, (values.get("phone_raw") or "") if field == "phone_e164" else "")
        for field, at in known_at.items()
    }


def merge(known: Mapping[str, Saying], said: Iterable[Saying]) -> dict[str, Saying]:
    """The newest saying of each field; of two at the same instant the greater text, so that order does not matter."""
    merged = dict(known)
    for saying in said:
        held = merged.get(saying.field)
        # Nearly always the instants settle it.
        if held is None or saying.at > held.at or (saying.at == held.at and saying.order > held.order):
            merged[saying.field] = saying
    return merged
