"""
Who a privacy request is about, and whether something that was said speaks of them.

A person is told by facts: e-mail addresses, customer ids, phones, the orders and checkouts that are theirs. A phone alone tells a
person only where nothing else tells another one: families and firms share phones.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from connector.canonical import Checkout, Customer, Order, Record
from connector.rules.identity import normalise_email

Fact = tuple[str, str]
"""Its kind (email, phone, customer, order, token) and its value."""
PHONE = "phone"
LEAST_DIGITS = 6
MOST_DEPTH = 60
MOST_PHONE = 30

_GID = re.compile(r"/(Customer|Order)/(\d+)(?:\?|$)")
_TOKENS = ("token", "cart_token", "checkout_token")
_AT = re.compile(r"@|%40|\\u0040", re.IGNORECASE)
_STOPS = re.compile(r"[\s@<>(),;:\"\[\]\\]")
_HOST = re.compile(r"[^\s@<>(),;:\"\[\]\\=?&/']{3,253}")
MOST_LOCAL = 64
_BEFORE = re.compile(r"[=?&/']")


@dataclass(frozen=True, slots=True)
class Subject:
    """One person in one shop: normalised addresses, phones as E.164, ids and tokens as the platform writes them."""

    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()

    @property
    def facts(self) -> frozenset[Fact]:
        """All that tells them."""
        kinds = (("email", self.emails), (PHONE, self.phones), ("customer", self.customers), ("order", self.orders), ("token", self.tokens))
        return frozenset((kind, value) for kind, values in kinds for value in values)


def telling(facts: frozenset[Fact], wanted: frozenset[Fact]) -> frozenset[Fact]:
    """Those of `facts` by which something speaks of who is `wanted`; a phone counts only where nobody else is told."""
    found = facts & wanted
    others = {kind for kind, _ in facts - wanted}
    if others & {"email", "customer"}:
        return frozenset(fact for fact in found if fact[0] != PHONE)
    return found


def record_facts(record: Customer | Checkout | Order) -> frozenset[Fact]:
    """What a record tells of whose it is."""
    email = normalise_email(record.email)
    facts = {("email", email), (PHONE, record.phone.e164 if record.phone else None)}
    if isinstance(record, Customer):
        facts.add(("customer", record.platform_id))
    else:
        facts |= {("customer", record.customer_id), ("token", record.cart_token)}
    if isinstance(record, Checkout):
        facts |= {("token", record.platform_id), (PHONE, record.checkout_phone.e164 if record.checkout_phone else None)}
    if isinstance(record, Order):
        facts |= {("order", record.platform_id), ("token", record.checkout_token)}
    return frozenset((kind, value) for kind, value in facts if value)


def began_at(record: Record) -> datetime:
    """Since when there is such a record; what began after a person was erased is theirs anew."""
    return getattr(record, "created_at", None) or record.source_version


def without_person(order: Order) -> Order:
    """The same purchase without whoever made it: money and counts stay."""
    return replace(order, checkout_token=None, cart_token=None, customer_id=None, email=None, phone=None, first_name=None, last_name=None)


def body_facts(topic: str, body: bytes) -> frozenset[Fact]:
    """
    What a raw body tells of people, however it is written: read as JSON where it is some, and searched as it is.

    `topic` says whose the id at its top is.
    """
    facts: set[Fact] = {("email", email) for email in _emails(body.decode("utf-8", "replace"))}
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return frozenset(facts)
    own = {"customers": "customer", "orders": "order"}.get(topic.partition("/")[0].partition("_")[0], "")
    for parent, key, value in _leaves(read, own):
        facts.update(_facts_of(parent, key, value))
    return frozenset(facts)


def body_began_at(body: bytes) -> datetime | None:
    """Since when there is what a raw body tells of, if it says so."""
    try:
        read = json.loads(body)
        at = datetime.fromisoformat(str(read["created_at"]))
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def phone_spellings(e164: str) -> frozenset[str]:
    """The digits of a phone as people write it: with and without its country."""
    digits = e164.lstrip("+")
    return frozenset({digits, f"00{digits}", *(f"0{digits[cut:]}" for cut in (1, 2, 3)), *(digits[cut:] for cut in (1, 2, 3))})


def spelled(facts: frozenset[Fact]) -> frozenset[Fact]:
    """The same facts, phones in every way in which a raw body may spell them."""
    found: set[Fact] = set()
    for kind, value in facts:
        found.update({(kind, spelling) for spelling in phone_spellings(value)} if kind == PHONE else {(kind, value)})
    return frozenset(found)


def _emails(text: str) -> Iterator[str]:
    """Every address that stands somewhere in a text. Looks around each @, so that a long text costs no more than its length."""
    for at in _AT.finditer(text):
        local = _STOPS.split(text[max(0, at.start() - MOST_LOCAL) : at.start()])[-1]
        host = _HOST.match(text, at.end())
        if local and host is not None:
            yield from _readings(f"{local}@{host.group()}")


def _readings(written: str) -> Iterator[str]:
    """The addresses that a text may mean: `e=anna@x.fr` is an address itself, and in a link it names another."""
    written = written.strip(".-")
    for start in (0, *(match.end() for match in _BEFORE.finditer(written.rpartition("@")[0]))):
        email = normalise_email(written[start:])
        if email is not None:
            yield email


def _leaves(read: Any, own: str) -> Iterator[tuple[str, str, str]]:
    """Every text and whole number with its key and what it belongs to; at the top that is `own`."""
    waiting: list[tuple[Any, str, str, int]] = [(read, own, "", 0)]
    while waiting:
        value, parent, key, depth = waiting.pop()
        kind = type(value)
        if kind is str or kind is int:
            yield parent, key, str(value).strip()
        elif depth > MOST_DEPTH:
            continue
        elif kind is dict:
            inner = (key or parent) if depth else parent
            waiting.extend((inside, inner, name.lower(), depth + 1) for name, inside in value.items())
        elif kind is list:
            waiting.extend((inside, parent, key, depth + 1) for inside in value)


def _facts_of(parent: str, key: str, text: str) -> Iterator[Fact]:
    if "@" in text or "%40" in text:
        yield from (("email", email) for email in _emails(f"{text} {unquote(text)}"))
    gid = _GID.search(text) if "/" in text else None
    if gid is not None:
        yield gid[1].lower(), gid[2]
    elif key.endswith("id"):
        yield from _id_facts(parent, key, text)
    elif key in ("orders_requested", "orders_to_redact"):
        yield "order", text
    elif key.endswith(_TOKENS) and text:
        yield "token", text
    elif key.endswith(PHONE) and len(text) <= MOST_PHONE:
        digits = re.sub(r"\D", "", text)
        if len(digits) >= LEAST_DIGITS:
            yield PHONE, digits


def _id_facts(parent: str, key: str, text: str) -> Iterator[Fact]:
    if not (text.isascii() and text.isdigit()):
        return
    if (key == "id" and parent == "customer") or "customer" in key:
        yield "customer", text
    elif (key == "id" and parent == "order") or "order" in key:
        yield "order", text
