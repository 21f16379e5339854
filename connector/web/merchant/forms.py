"""What the automation's forms say, as typed, and what of it may be saved."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.errors import Refused
from connector.rules.abandonment import DEFAULT_MINUTES, LONGEST_MINUTES, SHORTEST_MINUTES, ActivityClock, check_threshold
from connector.web.formats import duration
from connector.web.language import N_, translator

MAX_EXTRA_TEXT = 500
OTHER = "other"
SHORT_PRESETS = (20, 60, 1440, 2880)
"""The delays that are offered beside the list of checkouts (SQ-11)."""

NO_SWITCH = N_("The automation can be on or off.")
NO_DELAY = N_("Please choose a delay between {shortest} minutes and 48 hours ({longest} minutes).")
NO_MINUTES = N_("The delay must be a whole number of minutes, from {shortest} to {longest} (48 hours).")
NO_CLOCK = N_("The delay can count from the last activity or from the last addition.")
LONG_TEXT = N_("Your own text may have up to {most} characters; this one has {count}.")
SUGGESTED = N_("%(delay)s (suggested)")
ANOTHER = N_("Another delay")


@dataclass(frozen=True, slots=True)
class AutomationChange:
    """What is to be changed; None leaves a thing as it is. `extra_text` may be empty: that removes it."""

    turn_on: bool = False
    minutes: int | None = None
    clock: ActivityClock | None = None
    extra_text: str | None = None


@dataclass(frozen=True, slots=True)
class Delays:
    """The delays that can be chosen, as pairs of (value, text); `other` leads to the free number `minutes`."""

    options: tuple[tuple[str, str], ...]
    chosen: str
    minutes: str
    shortest: int = SHORTEST_MINUTES
    longest: int = LONGEST_MINUTES


def read_change(fields: Mapping[str, str]) -> AutomationChange:
    """
    Read the posted fields; absent ones change nothing. Raises Refused with what is allowed.

    `delay` is a preset or `other`, then `minutes` counts; a form may send `minutes` alone. `is_on` can only be `on`: turning off
    asks first, on a page of its own.
    """
    return AutomationChange(_read_switch(fields), _read_minutes(fields), _read_clock(fields), _read_text(fields))


def delays(presets: tuple[int, ...], minutes: int, typed: Mapping[str, str], language: str) -> Delays:
    """The choice of delays: what is saved, overlaid by what was `typed` and refused."""
    shown = typed.get("minutes", str(minutes))
    values = [str(preset) for preset in presets]
    chosen = typed.get("delay", OTHER if "minutes" in typed or shown not in values else shown)
    options = [(str(preset), _preset_text(preset, language)) for preset in presets]
    return Delays((*options, (OTHER, translator(language).gettext(ANOTHER))), chosen, shown if chosen == OTHER or typed else "")


def _preset_text(minutes: int, language: str) -> str:
    text = duration(minutes, language)
    return translator(language).gettext(SUGGESTED) % {"delay": text} if minutes == DEFAULT_MINUTES else text


def _read_switch(fields: Mapping[str, str]) -> bool:
    word = fields.get("is_on")
    if word not in (None, "on"):
        raise Refused(NO_SWITCH)
    return word == "on"


def _read_minutes(fields: Mapping[str, str]) -> int | None:
    delay = fields.get("delay", OTHER)
    typed = fields.get("minutes") if delay == OTHER else delay
    if typed is None and "delay" not in fields:
        return None
    typed = (typed or "").strip()
    if not typed:
        raise Refused(NO_DELAY, shortest=SHORTEST_MINUTES, longest=LONGEST_MINUTES)
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 9):
        raise Refused(NO_MINUTES, shortest=SHORTEST_MINUTES, longest=LONGEST_MINUTES)
    return check_threshold(int(typed))


def _read_clock(fields: Mapping[str, str]) -> ActivityClock | None:
    word = fields.get("clock")
    try:
        return None if word is None else ActivityClock(word)
    except ValueError as error:
        raise Refused(NO_CLOCK) from error


def _read_text(fields: Mapping[str, str]) -> str | None:
    text = fields.get("extra_text")
    if text is None:
        return None
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_EXTRA_TEXT:
        raise Refused(LONG_TEXT, most=MAX_EXTRA_TEXT, count=len(text))
    return text
