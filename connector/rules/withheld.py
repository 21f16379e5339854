"""
What a platform keeps from us, in groups that a merchant knows: an approval is asked for by group, not by field.

A field that is empty because it was withheld has another meaning than one that is empty: the merchant is told which.
"""

from collections.abc import Iterable
from enum import StrEnum


class Withheld(StrEnum):
    """A group of data that a platform may keep from an app."""

    EMAIL = "email"
    PHONE = "phone"
    NAME = "name"
    ADDRESS = "address"
    CUSTOMER = "customer"
    CHECKOUTS = "checkouts"
    ORDERS = "orders"
    PRODUCTS = "products"
    DISCOUNTS = "discounts"
    OTHER = "other"


_WORDS = (
    ("email", Withheld.EMAIL),
    ("phone", Withheld.PHONE),
    ("sms", Withheld.PHONE),
    ("whatsapp", Withheld.PHONE),
    ("firstname", Withheld.NAME),
    ("lastname", Withheld.NAME),
    ("displayname", Withheld.NAME),
    ("address", Withheld.ADDRESS),
    ("customer", Withheld.CUSTOMER),
    ("checkout", Withheld.CHECKOUTS),
    ("order", Withheld.ORDERS),
    ("product", Withheld.PRODUCTS),
    ("variant", Withheld.PRODUCTS),
    ("inventory", Withheld.PRODUCTS),
    ("discount", Withheld.DISCOUNTS),
)
"""What a field's name contains, the more exact word first."""


def withheld_groups(paths: Iterable[str]) -> frozenset[Withheld]:
    """The groups that withheld fields belong to; `paths` are dotted, as `orders.nodes.0.customer.email`. The innermost name counts."""
    return frozenset(map(_group, paths))


def groups_of(entries: Iterable[str]) -> tuple[Withheld, ...]:
    """The groups that a shop's entries (`email`, or `order.email` for those of its orders) name, in the order of `Withheld`."""
    named = {entry.rpartition(".")[2] for entry in entries}
    return tuple(group for group in Withheld if group.value in named)


def _group(path: str) -> Withheld:
    for name in reversed(path.lower().split(".")):
        for word, group in _WORDS:
            if word in name:
                return group
    return Withheld.OTHER
