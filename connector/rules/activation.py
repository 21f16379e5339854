"""Whether a shop's automation may be turned on."""

from dataclasses import dataclass
from typing import Protocol

from connector.errors import Refused


class ShopLike(Protocol):
    """What of a shop's row matters here."""

    state: str
    contact_email: str | None
    contact_address: str | None


@dataclass(frozen=True, slots=True)
class ActivationFacts:
    """A shop as this rule sees it. `can_send_mail`: messages have somewhere to go."""

    is_connected: bool
    can_send_mail: bool
    has_contact: bool


def facts(shop: ShopLike, *, can_send_mail: bool) -> ActivationFacts:
    """The facts of a shop. Of its contact details one is enough; blanks are none."""
    contacts = (shop.contact_email, shop.contact_address)
    return ActivationFacts(shop.state == "connected", can_send_mail, any(text and text.strip() for text in contacts))


def check(known: ActivationFacts) -> None:
    """Return if the automation may be turned on; raise Refused with the first reason against it and the cure (SQ-16)."""
    if not known.is_connected:
        raise Refused("The shop is not connected. Connect it again, then turn the automation on.")
    if not known.can_send_mail:
        raise Refused("There is no way to send e-mail: set SMTP_URL and restart, then turn the automation on.")
    if not known.has_contact:
        raise Refused(
            "The shop has neither an e-mail nor a postal address of its own, and every message must say who sends it. "
            "Fill them in in the store's settings, connect the shop again, then turn the automation on."
        )
