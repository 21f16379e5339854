"""How pages write money, instants and durations, in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import cache

from babel import Locale

from connector.messages.reminder import money as as_in_messages
from connector.web.language import DEFAULT, N_, translator

PLATFORM_TITLES: Mapping[str, str] = {"shopify": "Shopify", "woocommerce": "WooCommerce"}
SHOP_STATES: Mapping[str, str] = {
    "connected": N_("connected"),
    "needs_sign_in": N_("sign-in needed"),
    "uninstalled": N_("uninstalled"),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as a machine reads it (ISO 8601) and as a person of that place does; `short` leaves out seconds and zone."""

    iso: str
    text: str
    short: str


def money(amount: Decimal, currency: str, language: str = DEFAULT) -> str:
    """
    An exact amount as readers of that language write it, rounded as in our e-mails; an unknown currency keeps its code.

    Amounts of more than 26 digits are nonsense, and are shown as they came.
    """
    try:
        return as_in_messages(amount, currency, language)
    except InvalidOperation:
        return f"{amount} {currency}"


def moment(at: datetime, place: tzinfo, language: str = DEFAULT) -> Moment:
    """An instant in a shop's own time, to the second, with the zone named."""
    local = at.astimezone(place)
    day = f"{local.day} {_months(language)[local.month]} {local:%Y}, "
    return Moment(local.isoformat(timespec="seconds"), f"{day}{local:%H:%M:%S %Z}", f"{day}{local:%H:%M}")


def moment_or_none(at: datetime | None, place: tzinfo, language: str = DEFAULT) -> Moment | None:
    """The same, and nothing for nothing."""
    return None if at is None else moment(at, place, language)


def duration(minutes: int, language: str = DEFAULT) -> str:
    """Minutes as people say them: `20 minutes`, `1 hour`, `48 hours`, `1 hour 30 minutes`."""
    words = translator(language)
    hours, rest = divmod(minutes, 60)
    parts = []
    if hours:
        parts.append(words.ngettext("%(num)d hour", "%(num)d hours", hours) % {"num": hours})
    if rest or not hours:
        parts.append(words.ngettext("%(num)d minute", "%(num)d minutes", rest) % {"num": rest})
    return " ".join(parts)


@cache
def _months(language: str) -> Mapping[int, str]:
    months: Mapping[int, str] = Locale.parse(language).months["format"]["abbreviated"]
    return months
