"""The order of a list as the sortable part of a page posts it: by drag all at once, or by a button one place at a time."""

from collections.abc import Mapping, Sequence


def posted_order(fields: Mapping[str, str], known: Sequence[str]) -> tuple[str, ...]:
    """
    The order that was asked for: `known` ids as `order` has them, then one place `up` or `down` for the one a button names.

    Ids that are unknown or come twice are left out, those that are missing stay at the end in the order they had.
    """
    given = dict.fromkeys(item for item in fields.get("order", "").split(",") if item in known)
    order = [*given, *(item for item in known if item not in given)]
    for step, name in ((-1, "up"), (1, "down")):
        item = fields.get(name, "")
        if item in order:
            place = order.index(item)
            order.insert(max(place + step, 0), order.pop(place))
    return tuple(order)
