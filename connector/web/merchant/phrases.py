"""How merchants' pages put days, spans of time, shares and causes into words."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal, format_percent

from connector.store.listing import ListedState
from connector.web.formats import SHOP_STATES, money
from connector.web.language import N_, translator

MOST_KEPT = 4_000
"""Texts of numbers that are kept: writing one costs more than all else about it, and most tables hold many times the same."""

CHECKOUT_STATES: Mapping[ListedState, str] = {
    ListedState.RECOVERED: N_("recovered"),
    ListedState.PURCHASED: N_("purchased"),
    ListedState.CLOSED: N_("closed"),
    ListedState.NO_CONTACT: N_("no contact"),
    ListedState.ABANDONED: N_("abandoned"),
    ListedState.CART: N_("cart"),
    ListedState.EMPTIED: N_("emptied"),
    ListedState.IMPORTED: N_("imported"),
    ListedState.WAITING: N_("waiting"),
}
CHECKOUT_KINDS: Mapping[ListedState, str] = {
    ListedState.RECOVERED: "good",
    ListedState.PURCHASED: "good",
    ListedState.ABANDONED: "warn",
    ListedState.WAITING: "info",
}
MESSAGE_KINDS: Mapping[str, str] = {"sent": "good", "queued": "info", "sending": "info", "refused": "bad", "unknown": "bad"}
SHOP_KINDS: Mapping[str, str] = {"connected": "good", "needs_sign_in": "bad", "uninstalled": "bad"}
NOTICES: Mapping[str, str] = {
    "needs_sign_in": N_("The store no longer accepts our access. Connect it again: until then nothing is sent."),
    "suspended": N_("This store is suspended: nothing is sent for it."),
    "gap_found": N_("The store did not tell us everything. We are asking for what is missing."),
    "data_request_ready": N_("The data that a shopper asked for is ready for you."),
    "offer_suspended": N_("An offer of this store is suspended: nobody is given it for now."),
    "offer_ending": N_("The code of an offer of this store ends soon."),
}
INCOMPLETE = N_("incomplete")


def shop_state(state: str, missing_scopes: Sequence[str], language: str) -> tuple[str, str]:
    """How a shop is connected, in a word and its kind of tag; connected without all that we ask for is incomplete."""
    words = translator(language).gettext
    if state == "connected" and missing_scopes:
        return words(INCOMPLETE), "warn"
    return words(SHOP_STATES[state]), SHOP_KINDS[state]


def day_text(day: date, language: str) -> str:
    """A day as people write it: `3 Nov 2026`."""
    return format_date(day, "d MMM y", locale=language)


def ago_text(at: datetime, now: datetime, language: str) -> str:
    """How long ago an instant was, in whole minutes, hours or days: `4 minutes ago`."""
    passed = now - at
    if passed < timedelta(minutes=1):
        return translator(language).gettext(N_("just now"))
    if passed < timedelta(hours=1):
        return _ago(passed, timedelta(minutes=1), "minute", language)
    if passed < timedelta(days=1):
        return _ago(passed, timedelta(hours=1), "hour", language)
    return _ago(passed, timedelta(days=1), "day", language)


def share_text(share: Decimal | None, language: str) -> str:
    """A share in percent, to the tenth; a dash for none."""
    if share is None:
        return "—"
    text: str = format_percent(round(share, 3), locale=language, decimal_quantization=False)
    return text


@lru_cache(MOST_KEPT)
def amount_text(amount: Decimal, currency: str, language: str) -> str:
    """An exact amount as readers of that language write it."""
    return money(amount, currency, language)


@lru_cache(MOST_KEPT)
def count_text(count: int, language: str) -> str:
    """A whole number with its thousands apart."""
    text: str = format_decimal(count, locale=language)
    return text


def _ago(passed: timedelta, length: timedelta, unit: Literal["day", "hour", "minute"], language: str) -> str:
    # Below this threshold, which nothing reaches, babel keeps to the unit it is given.
    text: str = format_timedelta(-(passed // length) * length, granularity=unit, threshold=1e9, add_direction=True, locale=language)
    return text
