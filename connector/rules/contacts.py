"""
What is known of a Contact: each field keeps the newest thing that was said of it; silence never empties a field (AC-47, AC-48).

Versions may be heard in any order and more than once; the outcome is the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

FIELDS = ("first_name", "last_name", "company", "phone_raw", "phone_e164", "language")


@dataclass(frozen=True, slots=True)
class Saying:
    """One field's value as one record told it at one instant."""

    field: str
    value: str
    at: datetime


def sayings(at: datetime, values: Mapping[str, str | None]) -> list[Saying]:
    """What a record says, blanks left out. A phone is one fact in two columns: both change together."""
    said = [Saying(name, value.strip(), at) for name, value in values.items() if value and value.strip() and name != "phone_e164"]
    if any(saying.field == "phone_raw" for saying in said):
        said.append(Saying("phone_e164", values.get("phone_e164") or "", at))
    return said


def merge(known: Mapping[str, Saying], said: Iterable[Saying]) -> dict[str, Saying]:
    """The newest saying of each field; of two at the same instant the greater text, so that order does not matter."""
    merged = dict(known)
    for saying in said:
        held = merged.get(saying.field)
        if held is None or (saying.at, saying.value) > (held.at, held.value):
            merged[saying.field] = saying
    return merged
