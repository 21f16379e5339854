"""What an offer says and gives, as a merchant writes it, and what of that may be saved and published."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from connector.codes import CodeKind
from connector.errors import Refused
from connector.rules.discounts import FOR_EVERYBODY
from connector.rules.offers import CodeMode, names_code

MOST_HEADLINE, MOST_BODY, MOST_CODE, MOST_PREFIX = 120, 2_000, 60, 12
MOST_DAYS = 365
MOST_USES = 1_000_000

_CODE = re.compile(r"[^\s,;<>\"'&\\/?#%]+")
_PREFIX = re.compile(r"[A-Z0-9]*")


@dataclass(frozen=True, slots=True)
class Terms:
    """
    One version of an offer. For what each field means see `OfferVersionRow`, whose fields these are.

    `kind` to `once_per_customer` are the terms of a code that we make, or of a merchant's own as it was when it was chosen.
    """

    headline: str = ""
    body: str = ""
    banner_id: int | None = None
    mode: CodeMode = CodeMode.SHARED
    code: str | None = None
    is_ours: bool = False
    kind: CodeKind | None = None
    value: Decimal | None = None
    currency: str | None = None
    minimum_subtotal: Decimal | None = None
    usage_limit: int | None = None
    once_per_customer: bool = True
    ends_at: datetime | None = None
    valid_days: int | None = None
    prefix: str = ""
    locks_email: bool = False
    fallback_code: str | None = None
    minimum_order: Decimal | None = None
    most_uses: int = 3

    @property
    def is_made_by_us(self) -> bool:
        """Whether we make its code, or its codes."""
        return self.is_ours or self.mode is CodeMode.UNIQUE


def check_terms(name: str, terms: Terms, *, can_lock: bool) -> None:
    """
    Whether this may be saved, even as a draft; what is still empty may be filled in later (SH-16).

    `can_lock`: the store's platform can make a code good for one address only. Raises Refused with what a merchant must mend.
    """
    if not name.strip():
        raise Refused("Give the offer a name: it is how you find it again.")
    if len(terms.headline) > MOST_HEADLINE:
        raise Refused("The headline is too long: up to {most} characters.", most=MOST_HEADLINE)
    if len(terms.body) > MOST_BODY:
        raise Refused("The text is too long: up to {most} characters.", most=MOST_BODY)
    for code in (terms.code, terms.fallback_code):
        if code is None:
            continue
        if len(code) > MOST_CODE or not _CODE.fullmatch(code):
            raise Refused("A code is one word of up to {most} signs, without spaces and quotes.", most=MOST_CODE)
        if names_code(code, (terms.headline, terms.body)):
            raise Refused("The message must not hold the code itself: it is shown below it, and some get another one.")
    if terms.locks_email and not can_lock:
        raise Refused("This store’s platform has no codes that are good for one e-mail address only.")
    if terms.is_made_by_us:
        _check_made(terms)
    if terms.minimum_order is not None and terms.minimum_order < 0:
        raise Refused("The least that an order must come to cannot be below zero.")
    if not 0 <= terms.most_uses <= MOST_USES:
        raise Refused("So many purchases with codes are no sensible limit.")


def lacking(terms: Terms, now: datetime) -> tuple[str, ...]:
    """What must be filled in before these terms can be published, as words that pages translate (SH-10, C58)."""
    is_shared = terms.mode is CodeMode.SHARED
    lacks = (
        (not terms.headline.strip(), "headline"),
        (is_shared and terms.code is None, "code"),
        (terms.is_made_by_us and terms.kind is None, "kind"),
        (terms.is_made_by_us and terms.kind in (CodeKind.PERCENTAGE, CodeKind.FIXED_AMOUNT) and terms.value is None, "value"),
        # What we make never lives for ever.
        (terms.is_ours and is_shared and terms.ends_at is None, "end"),
        (not is_shared and terms.ends_at is None and terms.valid_days is None, "end"),
        (terms.is_made_by_us and terms.ends_at is not None and terms.ends_at <= now, "future_end"),
    )
    return tuple(word for holds, word in lacks if holds)


def kind_of(word: str | None) -> CodeKind | None:
    """The kind as it is written in a row."""
    return None if word is None else CodeKind(word)


def renew(terms: Terms, code: str, now: datetime, *, began_at: datetime, validity: timedelta) -> Terms:
    """
    The same terms with a new code of ours, valid from now on for as long as the old one was; `validity` if that had no end (NH-18).

    For unique codes only a fixed end moves on: their names are new for everybody anyway.
    """
    lasted = max(terms.ends_at - began_at, timedelta(days=1)) if terms.ends_at is not None else validity
    if terms.mode is CodeMode.UNIQUE:
        return terms if terms.ends_at is None else replace(terms, ends_at=now + lasted)
    return replace(terms, code=code, is_ours=True, ends_at=now + lasted)


def _check_made(terms: Terms) -> None:
    if terms.kind is not None and terms.kind not in FOR_EVERYBODY:
        raise Refused("We make codes for a percentage, a fixed amount or free shipping.")
    if terms.kind is CodeKind.PERCENTAGE and terms.value is not None and not 0 < terms.value <= 100:
        raise Refused("A percentage is above 0 and at most 100.")
    if terms.kind is CodeKind.FIXED_AMOUNT and terms.value is not None and terms.value <= 0:
        raise Refused("An amount is above 0.")
    if terms.minimum_subtotal is not None and terms.minimum_subtotal < 0:
        raise Refused("The least that a cart must come to cannot be below zero.")
    if terms.usage_limit is not None and not 1 <= terms.usage_limit <= MOST_USES:
        raise Refused("A code can be used once at least; leave the limit empty for no limit.")
    if terms.valid_days is not None and not 1 <= terms.valid_days <= MOST_DAYS:
        raise Refused("A code is valid for 1 to {most} days.", most=MOST_DAYS)
    if len(terms.prefix) > MOST_PREFIX or not _PREFIX.fullmatch(terms.prefix):
        raise Refused("What stands in front of each code is up to {most} capital letters and digits.", most=MOST_PREFIX)
