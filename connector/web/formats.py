"""How pages write money, instants and durations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from connector.messages.reminder import money as as_in_messages

PLATFORM_TITLES: Mapping[str, str] = {"shopify": "Shopify", "woocommerce": "WooCommerce"}
SHOP_STATES: Mapping[str, str] = {"connected": "connected", "needs_sign_in": "sign-in needed", "uninstalled": "uninstalled"}


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as a machine reads it (ISO 8601) and as a person of that place does; `short` leaves out seconds and zone."""

    iso: str
    text: str
    short: str


def money(amount: Decimal, currency: str) -> str:
    """
    An exact amount as English readers write it, rounded as in our e-mails; an unknown currency keeps its code.

    Amounts of more than 26 digits are nonsense, and are shown as they came.
    """
    try:
        return as_in_messages(amount, currency, "en")
    except InvalidOperation:
        return f"{amount} {currency}"


def zone(name: str) -> tzinfo:
    """A shop's time zone; UTC if this machine does not know the name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def moment(at: datetime, place: tzinfo) -> Moment:
    """An instant in a shop's own time, to the second, with the zone named."""
    local = at.astimezone(place)
    day = f"{local.day} {local:%b %Y, }"
    return Moment(local.isoformat(timespec="seconds"), f"{day}{local:%H:%M:%S %Z}", f"{day}{local:%H:%M}")


def moment_or_none(at: datetime | None, place: tzinfo) -> Moment | None:
    """The same, and nothing for nothing."""
    return None if at is None else moment(at, place)


def duration(minutes: int) -> str:
    """Minutes as people say them: `20 minutes`, `1 hour`, `48 hours`, `1 hour 30 minutes`."""
    hours, rest = divmod(minutes, 60)
    parts = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in ((hours, "hour"), (rest, "minute")) if count]
    return " ".join(parts) or "0 minutes"
