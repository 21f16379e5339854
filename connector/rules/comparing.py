"""
What differs between a record of ours and the store's, by field; and a digest that is the same exactly if nothing does. Pure.

Compared is what both can say. What a store's API does not tell is no difference, nor is what we may know better: the earliest instant
that any version told, and a newer word of consent.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any, Literal, TypeVar

import msgspec

from connector.canonical import Channel, Checkout, Consent, ConsentState, Customer, Order, Phone, Product, Resource
from connector.codes import CodeState
from connector.reading import Change
from connector.rules.identity import normalise_email

EARLIEST = ("placed_at", "paid_at", "completed_at")
"""Of several versions the earliest instant counts: ours may be earlier than what the newest one tells."""
UNTOLD = frozenset({"checkout_token", "cart_token", "refunded_total", "is_disputed", "codes"})
"""Where the store says nothing of these, it does not mean that there is nothing."""
CENT = Decimal("0.01")
NOT_COMPARED = frozenset({"triggered_at", "codes"})
_R = TypeVar("_R", bound=Any)
_KINDS: Mapping[type, Resource] = {
    Checkout: Resource.CHECKOUT,
    Customer: Resource.CUSTOMER,
    Order: Resource.ORDER,
    Product: Resource.PRODUCT,
    CodeState: Resource.DISCOUNT_CODE,
}
_NAMES: Mapping[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind) if field.name not in NOT_COMPARED) for kind in _KINDS
}
_FILLED: Mapping[type, tuple[str, ...]] = {
    kind: tuple(name for name in names if name in UNTOLD or name in EARLIEST) for kind, names in _NAMES.items()
}
_SAYS: Mapping[type, Callable[[Any], tuple[Any, ...]]] = {kind: attrgetter(*names) for kind, names in _NAMES.items()}


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that is not as its store has it. `fields`: by name ours and the store's, as texts; none of one that is gone."""

    resource: Resource
    platform_id: str
    kind: Literal["missing", "changed", "removed", "unrecoverable"]
    fields: Mapping[str, tuple[str | None, str | None]]


def resource_of(record: Change) -> Resource:
    """The kind of a record."""
    return _KINDS[type(record)]


def fill_untold(ours: _R, theirs: _R, *, is_withheld: bool = False) -> _R:
    """
    The store's record as it is to be kept: with what it does not tell, and with what we know better, as we have it.

    `is_withheld`: the platform keeps fields from us; then none that is empty says anything.
    """
    changes: dict[str, Any] = {}
    kind = type(theirs)
    for name in _NAMES[kind] if is_withheld else _FILLED[kind]:
        said = getattr(theirs, name)
        held = getattr(ours, name)
        if held is None or said == held:
            continue
        is_untold = said is None and (is_withheld or name in UNTOLD)
        is_earlier = name in EARLIEST and (said is None or held <= said)
        if is_untold or is_earlier:
            changes[name] = held
    if isinstance(theirs, Customer) and (ours.consents or theirs.consents):
        changes["consents"] = _newer_consents(ours, replace(theirs, **changes) if changes else theirs)
    return replace(theirs, **changes) if changes else theirs


def differences(ours: Change, theirs: Change) -> dict[str, tuple[str | None, str | None]]:
    """The fields in which two records of one kind differ, each with ours and the store's. `theirs`: see `fill_untold`."""
    held, said = _flat(ours), _flat(theirs)
    return {name: (held.get(name), said.get(name)) for name in dict.fromkeys((*held, *said)) if held.get(name) != said.get(name)}


def is_equal(ours: Change, theirs: Change) -> bool:
    """Whether nothing differs."""
    kind = type(theirs)
    return _plain(kind, ours) == _plain(kind, theirs)


def digest_of(record: Change) -> int:
    """256 bits over all that is compared; sums of them do not depend on the order of records."""
    said = [_normal(value) for value in _plain(type(record), record)]
    return int.from_bytes(hashlib.sha256(msgspec.json.encode([type(record).__name__, *said])).digest(), "big")


def _plain(kind: type, record: Change) -> tuple[Any, ...]:
    """What a record says, in an order that does not depend on how it was listed."""
    said = _SAYS[kind](record)
    if kind is Product:
        position = _NAMES[kind].index("variants")
        variants = tuple(sorted(said[position], key=attrgetter("platform_id")))
        return (*said[:position], variants, *said[position + 1 :])
    if kind is Customer:
        position = _NAMES[kind].index("consents")
        consents = tuple(sorted((one.channel.value, one.state.value, one.at) for one in said[position]))
        return (*said[:position], consents, *said[position + 1 :])
    if kind is Checkout:
        # What a checkout says of consents is kept by address, not with it; and some stores sign its link anew each time they are asked.
        names = _NAMES[kind]
        unsigned = {names.index("consents"): (), names.index("recovery_url"): said[names.index("recovery_url")] is not None}
        return tuple(unsigned.get(place, value) for place, value in enumerate(said))
    return said


def _newer_consents(ours: Customer, theirs: Customer) -> tuple[Consent, ...]:
    """
    Of each channel the word that stays if both are kept (`people.save_consents` keeps by the same order).

    Ours counts only while the address is the same: nobody consented for another one. A word about no address cannot be kept.
    """
    held = {
        one.channel: one for one in ours.consents if (address := _address(ours, one.channel)) and address == _address(theirs, one.channel)
    }
    for said in theirs.consents:
        known = held.get(said.channel)
        if _address(theirs, said.channel) and (known is None or _weight(said) > _weight(known)):
            held[said.channel] = said
    return tuple(held.values())


def _address(customer: Customer, channel: Channel) -> str | None:
    if channel is Channel.EMAIL:
        return normalise_email(customer.email)
    return customer.phone.e164 if customer.phone else None


def _weight(consent: Consent) -> tuple[bool, datetime, bool, str]:
    """That nothing is known is no word; of two at one instant the more careful one counts."""
    state = consent.state
    return state is not ConsentState.UNKNOWN, consent.at, state is ConsentState.UNSUBSCRIBED, state.value


def _flat(record: Change) -> dict[str, str | None]:
    flat: dict[str, str | None] = {}
    for name, value in zip(_NAMES[type(record)], _plain(type(record), record), strict=True):
        if name in ("lines", "variants"):
            for number, part in enumerate(value, 1):
                label = f"{name}[{number if name == 'lines' else part.platform_id}]"
                flat |= {f"{label}.{field.name}": _text(getattr(part, field.name)) for field in fields(part)}
        elif name == "consents":
            flat |= {f"consents[{channel}]": f"{state} since {_text(at)}" for channel, state, at in value}
        else:
            flat[name] = _text(value)
    return flat


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        cents = value.quantize(CENT)
        return f"{cents if cents == value else value.normalize():f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Phone):
        return value.e164 or value.raw
    if isinstance(value, tuple):
        return ", ".join(str(one.value) if isinstance(one, Enum) else str(one) for one in value) or None
    return str(value)


def _normal(value: Any) -> Any:
    """A value of which equal ones look alike."""
    if isinstance(value, Decimal):
        return str(value.normalize() + 0)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, tuple):
        return [_normal(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return [_normal(getattr(value, name)) for name in value.__dataclass_fields__]
    return value
