"""What the automation form says, as typed, and what of it may be saved."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.errors import Refused
from connector.rules.abandonment import LONGEST_MINUTES, SHORTEST_MINUTES, ActivityClock, check_threshold

MAX_EXTRA_TEXT = 500
OTHER = "other"


@dataclass(frozen=True, slots=True)
class AutomationChange:
    """What is to be changed; None leaves a thing as it is. `extra_text` may be empty: that removes it."""

    is_on: bool | None = None
    minutes: int | None = None
    clock: ActivityClock | None = None
    extra_text: str | None = None


def read_change(fields: Mapping[str, str]) -> AutomationChange:
    """
    Read the posted fields; absent ones change nothing. Raises Refused with what is allowed.

    `delay` is a preset or `other`, then `minutes` counts; a form may send `minutes` alone. `is_on` is `on` or `off`.
    """
    return AutomationChange(_read_switch(fields), _read_minutes(fields), _read_clock(fields), _read_text(fields))


def _read_switch(fields: Mapping[str, str]) -> bool | None:
    word = fields.get("is_on")
    if word not in (None, "on", "off"):
        raise Refused("The automation can be on or off.")
    return None if word is None else word == "on"


def _read_minutes(fields: Mapping[str, str]) -> int | None:
    delay = fields.get("delay", OTHER)
    typed = fields.get("minutes") if delay == OTHER else delay
    if typed is None and "delay" not in fields:
        return None
    typed = (typed or "").strip()
    if not typed:
        raise Refused(f"Please choose a delay between {SHORTEST_MINUTES} minutes and 48 hours ({LONGEST_MINUTES} minutes).")
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 9):
        raise Refused(f"The delay must be a whole number of minutes, from {SHORTEST_MINUTES} to {LONGEST_MINUTES} (48 hours).")
    return check_threshold(int(typed))


def _read_clock(fields: Mapping[str, str]) -> ActivityClock | None:
    word = fields.get("clock")
    try:
        return None if word is None else ActivityClock(word)
    except ValueError as error:
        raise Refused("The delay can count from the last activity or from the last addition.") from error


def _read_text(fields: Mapping[str, str]) -> str | None:
    text = fields.get("extra_text")
    if text is None:
        return None
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_EXTRA_TEXT:
        raise Refused(f"Your own text may have up to {MAX_EXTRA_TEXT} characters; this one has {len(text)}.")
    return text
