"""What the editor of an offer says, as typed, and the terms that this means."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation

from connector.codes import CodeKind, CodeState
from connector.errors import Refused
from connector.rules.offer_terms import MOST_DAYS, MOST_USES, Terms
from connector.rules.offers import CodeMode
from connector.web.language import N_
from connector.web.tables import read_day

NEW, EXISTING, UNIQUE = "new", "existing", "unique"
DAYS, DATE = "days", "date"
ON = "on"
USUAL_DAYS = 30
USUAL_USES = 3
MOST_DIGITS = 12
MOST_NAME = 120

NO_AMOUNT = N_("“{typed}” is no amount. Write it like 10 or 7.50.")
NO_COUNT = N_("“{typed}” is no whole number between {least} and {most}.")
NO_DATE = N_("“{typed}” is no day. Write it like 2026-11-30.")
NO_KIND = N_("Choose a percentage, a fixed amount or free shipping.")
LONG_NAME = N_("The name is too long: up to {most} characters.")
NO_MODE = N_("Choose which code the offer gives.")


class Mistyped(Refused):
    """A field that cannot be read as it was typed."""

    def __init__(self, field: str, template: str, **values: object) -> None:
        super().__init__(template, **values)
        self.field = field


@dataclass(frozen=True, slots=True)
class OfferFields:
    """
    The fields of the editor, as texts. `mode`: whose code it is. `banner`: the public id of a picture. `until`: whether codes of
    their own are good for days or up to a date. `words`: what is looked for among the store's codes.
    """

    name: str = ""
    headline: str = ""
    body: str = ""
    banner: str = ""
    mode: str = NEW
    code: str = ""
    kind: str = CodeKind.PERCENTAGE.value
    value: str = ""
    minimum_subtotal: str = ""
    usage_limit: str = ""
    once_per_customer: str = ""
    ends_on: str = ""
    chosen: str = ""
    words: str = ""
    prefix: str = ""
    until: str = DAYS
    valid_days: str = ""
    unique_ends_on: str = ""
    locks_email: str = ""
    fallback_code: str = ""
    minimum_order: str = ""
    most_uses: str = ""


def blank_fields() -> OfferFields:
    """What the editor of a new offer begins with."""
    return OfferFields(once_per_customer=ON, valid_days=str(USUAL_DAYS), most_uses=str(USUAL_USES))


def typed_fields(posted: Mapping[str, str]) -> OfferFields:
    """The fields as they were posted; a box that is not ticked is not sent."""
    return OfferFields(**{one.name: _line(one.name, posted.get(one.name, "")) for one in fields(OfferFields)})


def fields_of(name: str, terms: Terms, banner: str, place: tzinfo) -> OfferFields:
    """A saved offer as the editor shows it."""
    is_shared = terms.mode is CodeMode.SHARED
    mode = UNIQUE if not is_shared else NEW if terms.is_ours or terms.code is None else EXISTING
    ends_on = terms.ends_at.astimezone(place).date().isoformat() if terms.ends_at and terms.is_made_by_us else ""
    return OfferFields(
        name=name,
        headline=terms.headline,
        body=terms.body,
        banner=banner,
        mode=mode,
        code=(terms.code or "") if mode == NEW else "",
        kind=terms.kind.value if terms.kind and terms.is_made_by_us else CodeKind.PERCENTAGE.value,
        value=_plain(terms.value) if terms.is_made_by_us else "",
        minimum_subtotal=_plain(terms.minimum_subtotal) if terms.is_made_by_us else "",
        usage_limit=str(terms.usage_limit or "") if mode == NEW else "",
        once_per_customer=ON if terms.once_per_customer else "",
        ends_on=ends_on if mode == NEW else "",
        chosen=(terms.code or "") if mode == EXISTING else "",
        prefix=terms.prefix,
        until=DATE if mode == UNIQUE and terms.ends_at else DAYS,
        valid_days=str(terms.valid_days or USUAL_DAYS),
        unique_ends_on=ends_on if mode == UNIQUE else "",
        locks_email=ON if terms.locks_email else "",
        fallback_code=terms.fallback_code or "",
        minimum_order=_plain(terms.minimum_order),
        most_uses=str(terms.most_uses),
    )


def read_terms(typed: OfferFields, currency: str, place: tzinfo, saved: Terms | None) -> Terms:
    """
    The terms of what was typed, without its picture; those of a merchant's own code are not known yet (`with_code`).

    `saved`: the terms so far: an end that lies on the same day stays what it was. Raises Mistyped.
    """
    if len(typed.name) > MOST_NAME:
        raise Mistyped("name", LONG_NAME, most=MOST_NAME)
    if typed.mode not in (NEW, EXISTING, UNIQUE):
        raise Mistyped("mode", NO_MODE)
    if typed.kind not in (kind.value for kind in CodeKind if kind is not CodeKind.OTHER):
        raise Mistyped("kind", NO_KIND)
    terms = Terms(
        headline=typed.headline,
        body=typed.body,
        minimum_order=_amount("minimum_order", typed.minimum_order),
        most_uses=_count("most_uses", typed.most_uses, 0, MOST_USES) or 0,
    )
    if typed.mode == EXISTING:
        return replace(terms, code=typed.chosen or None)
    kind = CodeKind(typed.kind)
    terms = replace(
        terms,
        kind=kind,
        value=None if kind is CodeKind.FREE_SHIPPING else _amount("value", typed.value),
        minimum_subtotal=_amount("minimum_subtotal", typed.minimum_subtotal),
        currency=currency,
    )
    if typed.mode == NEW:
        return replace(
            terms,
            code=typed.code or None,
            is_ours=True,
            usage_limit=_count("usage_limit", typed.usage_limit, 1, MOST_USES),
            once_per_customer=typed.once_per_customer == ON,
            ends_at=_end("ends_on", typed.ends_on, place, saved),
        )
    is_dated = typed.until == DATE
    return replace(
        terms,
        mode=CodeMode.UNIQUE,
        prefix=typed.prefix.upper(),
        valid_days=None if is_dated else _count("valid_days", typed.valid_days, 1, MOST_DAYS),
        ends_at=_end("unique_ends_on", typed.unique_ends_on, place, saved) if is_dated else None,
        locks_email=typed.locks_email == ON,
        fallback_code=typed.fallback_code or None,
    )


def with_code(terms: Terms, state: CodeState) -> Terms:
    """The terms of a merchant's own code, as the store has it when it is chosen."""
    return replace(
        terms,
        code=state.code,
        kind=state.kind,
        value=state.value,
        currency=state.currency,
        minimum_subtotal=state.minimum_subtotal,
        usage_limit=state.usage_limit,
        once_per_customer=state.once_per_customer,
        ends_at=state.ends_at,
    )


def _line(name: str, text: str) -> str:
    return text.replace("\r\n", "\n").strip() if name == "body" else "".join(sign for sign in text if sign.isprintable()).strip()


def _plain(amount: Decimal | None) -> str:
    """An amount as one would type it: `10`, `7.50`."""
    if amount is None:
        return ""
    return format(amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.quantize(Decimal("0.01")), "f")


def _amount(field: str, typed: str) -> Decimal | None:
    if not typed:
        return None
    text = typed.replace("\u202f", "").replace("\xa0", "").replace(" ", "").rstrip("%").replace(",", ".")
    try:
        amount = Decimal(text) if text.isascii() and len(text) <= MOST_DIGITS and "e" not in text.lower() else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount != round(amount, 2):
        raise Mistyped(field, NO_AMOUNT, typed=typed)
    return amount


def _count(field: str, typed: str, least: int, most: int) -> int | None:
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) <= MOST_DIGITS and least <= int(typed) <= most):
        raise Mistyped(field, NO_COUNT, typed=typed, least=least, most=most)
    return int(typed)


def _end(field: str, typed: str, place: tzinfo, saved: Terms | None) -> datetime | None:
    """The last second of a day in the shop's own time."""
    if not typed:
        return None
    day = read_day(typed)
    if day is None:
        raise Mistyped(field, NO_DATE, typed=typed)
    if saved is not None and saved.ends_at is not None and saved.ends_at.astimezone(place).date() == day:
        return saved.ends_at
    return datetime.combine(day, time(23, 59, 59), place).astimezone(UTC)
