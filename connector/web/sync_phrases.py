"""How pages and the command line speak of syncing: kinds of records, states, fields, speeds and spans."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from babel.numbers import format_decimal

from connector.canonical import Resource
from connector.rules.resyncing import Act
from connector.rules.syncing import RunKind, RunState, Scope, SliceState
from connector.web.formats import duration
from connector.web.language import N_

KINDS: Mapping[str, str] = {
    Resource.PRODUCT: N_("Products"),
    Resource.CUSTOMER: N_("Customers"),
    Resource.ORDER: N_("Orders"),
    Resource.CHECKOUT: N_("Checkouts"),
    Resource.DISCOUNT_CODE: N_("Discount codes"),
}
RUNS: Mapping[str, str] = {
    RunKind.BACKFILL: N_("First sync"),
    RunKind.RECONCILE: N_("Regular comparison"),
    RunKind.RESYNC: N_("Resync"),
}
DRY_RUN = N_("Dry run")
STATES: Mapping[str, str] = {
    RunState.WAITING: N_("waiting"),
    RunState.RUNNING: N_("running"),
    RunState.PAUSED: N_("paused"),
    RunState.DONE: N_("done"),
    RunState.FAILED: N_("failed"),
    RunState.CANCELLED: N_("cancelled"),
}
STATE_KINDS: Mapping[str, str] = {
    RunState.WAITING: "info",
    RunState.RUNNING: "info",
    RunState.PAUSED: "warn",
    RunState.DONE: "good",
    RunState.FAILED: "bad",
}
SLICES: Mapping[str, str] = {
    SliceState.OPEN: N_("still to be read"),
    SliceState.DONE: N_("done"),
    SliceState.FAILED: N_("failed"),
    SliceState.SKIPPED: N_("not shown to us"),
}
SLICE_KINDS: Mapping[str, str] = {SliceState.DONE: "good", SliceState.FAILED: "bad", SliceState.SKIPPED: "warn"}
ACTS: Mapping[Act, str] = {
    Act.APPLY: N_("Apply"),
    Act.PAUSE: N_("Pause"),
    Act.RESUME: N_("Go on"),
    Act.CANCEL: N_("Cancel the run"),
}
DIFFERENCES: Mapping[str, str] = {
    "missing": N_("missing here"),
    "changed": N_("different"),
    "removed": N_("gone from the store"),
    "unrecoverable": N_("not recoverable"),
}
DIFFERENCE_KINDS: Mapping[str, str] = {"missing": "warn", "changed": "info", "removed": "warn"}
EVERYTHING = N_("Everything")
ONE_RECORD = N_("%(kind)s: only %(id)s")
FROM_TO = N_("changed from %(since)s to %(until)s")
SINCE = N_("changed since %(since)s")
UNTIL = N_("changed before %(until)s")
A_SECOND = N_("%(count)s a second")
A_MINUTE = N_("%(count)s a minute")
LESS_THAN_A_MINUTE = N_("less than a minute")
LINE = N_("line %(id)s")
VARIANT = N_("variant %(id)s")

FIELDS: Mapping[str, str] = {
    "accepts_email": N_("accepts e-mails"),
    "accepts_sms": N_("accepts text messages"),
    "cancelled_at": N_("cancelled"),
    "cart_token": N_("cart token"),
    "categories": N_("categories"),
    "category": N_("category"),
    "checkout_phone": N_("phone typed in the checkout"),
    "checkout_token": N_("checkout token"),
    "closed_at": N_("closed"),
    "code": N_("code"),
    "codes": N_("number of codes"),
    "company": N_("company"),
    "completed_at": N_("completed"),
    "consents": N_("consent"),
    "country": N_("country"),
    "created_at": N_("created"),
    "currency": N_("currency"),
    "customer_id": N_("customer’s id"),
    "description": N_("description"),
    "discount_codes": N_("discount codes used"),
    "discount_total": N_("discount"),
    "email": N_("e-mail"),
    "ends_at": N_("ends"),
    "first_name": N_("first name"),
    "image_url": N_("picture"),
    "inventory_item_id": N_("id of the stock"),
    "is_available": N_("can be bought"),
    "is_deleted": N_("deleted"),
    "is_disputed": N_("disputed"),
    "is_test": N_("test order"),
    "key": N_("id of the line"),
    "kind": N_("kind"),
    "language": N_("language"),
    "last_name": N_("last name"),
    "lines": N_("lines"),
    "minimum_subtotal": N_("least subtotal"),
    "number": N_("number"),
    "once_per_customer": N_("once for each customer"),
    "paid_at": N_("paid"),
    "payment_state": N_("payment"),
    "phone": N_("phone"),
    "placed_at": N_("placed"),
    "platform_id": N_("id in the store"),
    "platform_status": N_("status in the store"),
    "price": N_("price"),
    "product_id": N_("product’s id"),
    "quantity": N_("quantity"),
    "recovery_url": N_("link back to the checkout"),
    "refunded_total": N_("refunded"),
    "restrictions": N_("restrictions"),
    "shipping_method": N_("shipping"),
    "sku": N_("article number"),
    "source_version": N_("last change"),
    "stage": N_("stage"),
    "starts_at": N_("begins"),
    "state": N_("state"),
    "status": N_("state"),
    "subtotal": N_("subtotal"),
    "tax_total": N_("taxes"),
    "taxes_included": N_("taxes included"),
    "title": N_("title"),
    "token": N_("token"),
    "total": N_("total"),
    "unit_price": N_("price of one"),
    "url": N_("address"),
    "usage_limit": N_("most uses"),
    "used": N_("uses"),
    "value": N_("value"),
    "variant_id": N_("variant’s id"),
    "variant_title": N_("variant"),
    "variants": N_("variants"),
}
"""Every field of a record, as people call it."""
LONGEST_ID = 16

_PARTS = {"lines": LINE, "variants": VARIANT}
_PART = re.compile(r"([a-z_][a-z_0-9]*)(?:\[([^\]]+)\])?")


def scope_text(scope: Scope, words: Callable[[str], str], when: Callable[..., str]) -> str:
    """What a run covers. `when` writes an instant."""
    if scope.platform_id is not None:
        kind = scope.resources[0]
        return words(ONE_RECORD) % {"kind": words(KINDS[kind]), "id": shown_id(kind, scope.platform_id)}
    kinds = EVERYTHING if len(scope.resources) == len(KINDS) else ""
    parts = [words(kinds) if kinds else ", ".join(words(KINDS[one]) for one in scope.resources)]
    if scope.since and scope.until:
        parts.append(words(FROM_TO) % {"since": when(scope.since), "until": when(scope.until)})
    elif scope.since:
        parts.append(words(SINCE) % {"since": when(scope.since)})
    elif scope.until:
        parts.append(words(UNTIL) % {"until": when(scope.until)})
    return ", ".join(parts)


def field_text(name: str, words: Callable[[str], str]) -> str:
    """A field such as `lines[2].quantity`, as people call it; one that this version does not know keeps its own name."""
    parts: list[str] = []
    for field, which in _PART.findall(name):
        if which and field in _PARTS:
            parts.append(words(_PARTS[field]) % {"id": which})
        else:
            parts += [words(FIELDS.get(field, field)), which] if which else [words(FIELDS.get(field, field))]
    return ", ".join(parts) or name


def field_order(name: str) -> tuple[bool, str]:
    """Fields of a record itself come before those of its lines."""
    return "[" in name, name


def shown_id(kind: str, platform_id: str) -> str:
    """A record's id in its store; of checkouts that may be what opens them, so only its beginning."""
    is_token = kind == Resource.CHECKOUT and len(platform_id) > LONGEST_ID
    return f"{platform_id[:8]}…" if is_token else platform_id


def rate_text(rate: float | None, words: Callable[[str], str], language: str) -> str:
    """Records a second, or a minute if they are few; nothing for none."""
    if rate is None:
        return ""
    if rate >= 1:
        return words(A_SECOND) % {"count": format_decimal(round(rate), locale=language)}
    return words(A_MINUTE) % {"count": format_decimal(max(1, round(rate * 60)), locale=language)}


def span_text(span: timedelta | None, words: Callable[[str], str], language: str) -> str:
    """How long something takes, as people say it; nothing for nothing."""
    if span is None:
        return ""
    minutes = round(span.total_seconds() / 60)
    return duration(minutes, language) if minutes else words(LESS_THAN_A_MINUTE)
