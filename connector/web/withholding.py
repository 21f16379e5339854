"""What a store keeps from us, and what could not be read from it, in words: what is missing here then says nothing of the shopper."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connector.canonical import Resource
from connector.rules.withheld import Withheld, groups_of
from connector.web.language import N_

TITLE = N_("The store keeps some data from this app.")
TEXT = N_("{platform} does not give this app: {names}. Where they are missing here, the shopper may have given them all the same.")
CURE = N_(
    "Whoever runs the app asks {platform} for approval of access to protected customer data; "
    "until then nobody can be written to without an address."
)
NAMES = {
    Withheld.EMAIL: N_("e-mail addresses"),
    Withheld.PHONE: N_("phone numbers"),
    Withheld.NAME: N_("names of shoppers"),
    Withheld.ADDRESS: N_("postal addresses"),
    Withheld.CUSTOMER: N_("customer records"),
    Withheld.CHECKOUTS: N_("abandoned checkouts"),
    Withheld.ORDERS: N_("orders placed"),
    Withheld.PRODUCTS: N_("products and their stock"),
    Withheld.DISCOUNTS: N_("discount codes"),
    Withheld.OTHER: N_("some other data"),
}


REASONS = {
    "not_permitted": N_("the store does not permit it"),
    "rejected": N_("the store refused"),
    "no_answer": N_("the store did not answer, ten times"),
    "cannot_be_applied": N_("our database refused it"),
    "not_readable": N_("this kind of store cannot be asked for it"),
}
UNREADABLE = N_("what came made no sense")
KINDS = {
    Resource.CHECKOUT: N_("checkout"),
    Resource.ORDER: N_("order"),
    Resource.CUSTOMER: N_("customer"),
    Resource.PRODUCT: N_("product"),
    Resource.DISCOUNT_CODE: N_("discount"),
    Resource.SHOP: N_("the shop itself"),
}


@dataclass(frozen=True, slots=True)
class UnreadRecord:
    """A record that should have been read again and could not: its kind, its id in the store, and why."""

    kind: str
    platform_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class WithheldNote:
    """What a page says of it; empty texts if nothing is withheld."""

    title: str = ""
    text: str = ""
    cure: str = ""


def withheld_note(entries: Iterable[str], platform: str, gettext: Callable[[str], str]) -> WithheldNote:
    """The note for a shop's `withheld` entries; `platform` as people call it."""
    names = [gettext(NAMES[group]) for group in groups_of(entries)]
    if not names:
        return WithheldNote()
    text = gettext(TEXT).format(platform=platform, names=", ".join(names))
    return WithheldNote(gettext(TITLE), text, gettext(CURE).format(platform=platform))


def unread_records(records: Iterable[tuple[Resource, str, str]], gettext: Callable[[str], str]) -> tuple[UnreadRecord, ...]:
    """What could not be read again, in the order given."""
    return tuple(UnreadRecord(gettext(KINDS[kind]), one, gettext(REASONS.get(reason, UNREADABLE))) for kind, one, reason in records)
