"""
What REST says of a coupon, how that maps to ours, and ours to what REST takes.

Source: REST API v3 coupons, recorded from 10.5; class-wc-coupon.php and abstract-wc-data.php of 10.5.3 and 11.0.1.
"""

import html
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from connector import clock, decoding
from connector.codes import CodeKind, CodeState, CodeStatus, DiscountCode, Restriction
from connector.platforms import PayloadError, Rejected
from integrations.woocommerce.payloads import PLATFORM, Meta, Number, Text
from integrations.woocommerce.plaintext import plain, text
from integrations.woocommerce.values import identifier, instant, money

SUSPENDED_AT = datetime(2000, 1, 1, tzinfo=UTC)
"""The end that a suspended coupon gets, as the second lock beside `draft`: past for every clock, and told from a merchant's own."""
FORMER_END = "_connector_former_end"
"""The coupon's own note of the end it had when it was suspended; NO_END: none. It counts while the end is SUSPENDED_AT."""
NO_END = "none"
SERIES = "_connector_series"
"""The coupon's own note of the coupon that it was made of: by this, and by nothing that looks alike, we know it for ours."""
_PATTERN = frozenset("*?|^$/(){}[]\\")
"""Other addresses than the lock's own are compared as with a regular expression; dots and pluses, which many have, do little harm."""
_HUNDRED, _CENT = Decimal(100), Decimal("0.01")
_LISTS = ("product_ids", "excluded_product_ids", "product_categories", "excluded_product_categories")
_BRANDS = ("product_brands", "exclude_product_brands")
_TYPES = {"percent": CodeKind.PERCENTAGE, "fixed_cart": CodeKind.FIXED_AMOUNT}


class CouponBody(msgspec.Struct, frozen=True):
    """A coupon as REST and webhooks show it; `amount`, minimum and maximum come with two places, whatever is kept."""

    id: int
    code: Text = None
    status: Text = None
    amount: Number = None
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    discount_type: Text = None
    description: Text = None
    date_expires_gmt: str | None = None
    usage_count: Number = None
    individual_use: bool | None = None
    product_ids: list[Number] | None = None
    excluded_product_ids: list[Number] | None = None
    usage_limit: Number = None
    usage_limit_per_user: Number = None
    limit_usage_to_x_items: Number = None
    free_shipping: bool | None = None
    product_categories: list[Number] | None = None
    excluded_product_categories: list[Number] | None = None
    exclude_sale_items: bool | None = None
    minimum_amount: Number = None
    maximum_amount: Number = None
    email_restrictions: list[Text] | None = None
    meta_data: list[Meta] | None = None

    @property
    def is_published(self) -> bool:
        """Only these the checkout knows."""
        return self.status == "publish"

    @property
    def is_gone(self) -> bool:
        """In the bin: the API still shows it, nobody can use it."""
        return self.status == "trash"


def to_code_state(body: CouponBody, now: datetime | None = None) -> CodeState:
    """
    A coupon as we know codes; whether it has ended is judged at `now` (None: this moment).

    Its only code comes lower-cased. A draft counts as expired; one that we suspended shows the end that it had. The store's currency
    is not in it. `source_version` hardly moves: amount, end, limits and use change without it. Limits of what a cart may come to
    or how many pieces are reduced count as Restriction.QUANTITY. Raises PayloadError for what makes no sense.
    """
    version = instant(body.date_modified_gmt) or instant(body.date_created_gmt)
    if version is None:
        raise PayloadError("a coupon without a time of change", platform=PLATFORM, reason="time")
    code = code_of(body)
    if not code:
        raise PayloadError("a coupon without a code", platform=PLATFORM, reason="code")
    kind, amount = kind_of(body), money(body.amount)
    is_ended, former = former_end(body)
    end = former if is_ended else instant(body.date_expires_gmt)
    minimum = money(body.minimum_amount)
    return CodeState(
        platform_id=identifier(body.id),
        source_version=version,
        code=code,
        kind=kind,
        status=_status(body, now or clock.now()),
        title=plain(body.description),
        value=amount if kind in (CodeKind.PERCENTAGE, CodeKind.FIXED_AMOUNT) else None,
        # A scheduled one is published by WordPress at the date it was "created" for.
        starts_at=instant(body.date_created_gmt) if body.status == "future" else None,
        ends_at=end,
        usage_limit=_count(body.usage_limit) or None,
        used=_count(body.usage_count),
        once_per_customer=_count(body.usage_limit_per_user) == 1,
        minimum_subtotal=minimum or None,
        restrictions=_restrictions(body),
        codes=1,
    )


def to_fields(code: DiscountCode, now: datetime) -> dict[str, Any]:
    """
    Our code as REST takes it; it cannot be combined with other coupons, as codes made on Shopify cannot.

    Amounts are texts, the end an exact instant with its zone. Raises Rejected for what WooCommerce has not: a beginning in the future,
    more than two decimals (it would not tell us what became of them), kinds without a value, addresses that it takes for patterns.
    """
    if code.starts_at is not None and code.starts_at > now:
        raise _refused("WooCommerce has no codes that begin later")
    is_shipping = code.kind is CodeKind.FREE_SHIPPING
    fields: dict[str, Any] = {
        "code": code.code.strip().lower(),
        "description": code.title or "",
        "discount_type": "fixed_cart" if code.kind is CodeKind.FIXED_AMOUNT else "percent",
        "amount": "0" if is_shipping else _amount(code),
        "free_shipping": is_shipping,
        "individual_use": True,
        "date_expires": wire_time(code.ends_at) if code.ends_at else "",
    }
    if code.usage_limit is not None:
        fields["usage_limit"] = code.usage_limit
    if code.once_per_customer:
        fields["usage_limit_per_user"] = 1
    if code.minimum_subtotal is not None:
        fields["minimum_amount"] = _money_text(code.minimum_subtotal)
    if code.email is not None:
        if _PATTERN.intersection(code.email):
            raise _refused("WooCommerce would take this address for a pattern that fits others")
        fields["email_restrictions"] = [code.email.strip().lower()]
    return fields


def differences(body: CouponBody, code: DiscountCode) -> list[str]:
    """
    In what a coupon is not the one that we would make; none: it is. Its title, what was used of it and whether it can be combined do
    not matter. WooCommerce keeps whole seconds.
    """
    state = to_code_state(body)
    emails = sorted(email for one in body.email_restrictions or () if (email := text(one)))
    wanted_emails = [] if code.email is None else [code.email.strip().lower()]
    wanted_end = code.ends_at.astimezone(UTC).replace(microsecond=0) if code.ends_at else None
    others = [one for one in state.restrictions if one is not Restriction.EMAILS]
    checks = (
        ("status", body.is_published),
        ("code", state.code == code.code.strip().lower()),
        ("discount_type", state.kind is code.kind),
        ("amount", code.kind is CodeKind.FREE_SHIPPING or state.value == code.value),
        ("date_expires", instant(body.date_expires_gmt) == wanted_end),
        ("usage_limit", state.usage_limit == code.usage_limit),
        ("usage_limit_per_user", _count(body.usage_limit_per_user) == (1 if code.once_per_customer else 0)),
        ("minimum_amount", state.minimum_subtotal == (code.minimum_subtotal or None)),
        ("email_restrictions", emails == wanted_emails),
        ("restrictions", not others),
    )
    return [name for name, is_so in checks if not is_so]


def to_copy(body: CouponBody) -> dict[str, Any]:
    """Everything of a coupon but its code and its history, as REST takes it: for another coupon of the same terms."""
    end = instant(body.date_expires_gmt)
    copied: dict[str, Any] = {
        "status": text(body.status) or "publish",
        "description": text(body.description) or "",
        "discount_type": text(body.discount_type) or "fixed_cart",
        "amount": text(body.amount) or "0",
        "date_expires": wire_time(end) if end else "",
        "minimum_amount": text(body.minimum_amount) or "",
        "maximum_amount": text(body.maximum_amount) or "",
        "email_restrictions": [email for one in body.email_restrictions or () if (email := text(one))],
        "meta_data": [
            {"key": one.key, "value": msgspec.json.decode(one.value)} for one in body.meta_data or () if one.key in (*_BRANDS, FORMER_END)
        ],
    }
    copied |= {name: bool(getattr(body, name)) for name in ("individual_use", "free_shipping", "exclude_sale_items")}
    copied |= {name: _numbers(getattr(body, name)) for name in _LISTS}
    limits = {name: _count(getattr(body, name)) for name in ("usage_limit", "usage_limit_per_user", "limit_usage_to_x_items")}
    return copied | {name: limit for name, limit in limits.items() if limit}


def kind_of(body: CouponBody) -> CodeKind:
    """What it gives. One that gives free shipping and money besides, or money off single products, is nothing that we issue."""
    amount = money(body.amount) or Decimal(0)
    if body.free_shipping:
        return CodeKind.OTHER if amount else CodeKind.FREE_SHIPPING
    return _TYPES.get(text(body.discount_type) or "", CodeKind.OTHER)


def code_of(body: CouponBody) -> str:
    """The code in lower case, "" if there is none; WooCommerce keeps it as a post's title, with entities."""
    return html.unescape(text(body.code) or "").strip().lower()


def series_of(body: CouponBody) -> str | None:
    """The number of the coupon that we made this one of, None if we did not."""
    note = next((one for one in body.meta_data or () if one.key == SERIES), None)
    return bytes(note.value).decode("ascii", "replace").strip('"') if note is not None else None


def former_end(body: CouponBody) -> tuple[bool, datetime | None]:
    """Whether this coupon has our end and our note, and the end that it had before. A merchant who sets a new end takes that over."""
    note = next((one for one in body.meta_data or () if one.key == FORMER_END), None)
    if note is None or instant(body.date_expires_gmt) != SUSPENDED_AT:
        return False, None
    try:
        told = decoding.decode(note.value, str)
        return True, None if told == NO_END else instant(told)
    except (msgspec.DecodeError, PayloadError):
        return True, None


def wire_time(at: datetime) -> str:
    """An instant as WooCommerce takes it exactly: UTC, whole seconds, Z. Without the Z it would be the site's wall clock."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(body: CouponBody, now: datetime) -> CodeStatus:
    end = instant(body.date_expires_gmt)
    if body.status == "future":
        return CodeStatus.SCHEDULED
    return CodeStatus.ACTIVE if body.is_published and (end is None or end > now) else CodeStatus.EXPIRED


def _restrictions(body: CouponBody) -> tuple[Restriction, ...]:
    brands = any(one.key in _BRANDS and bytes(one.value) not in (b"null", b'""', b"[]", b"{}") for one in body.meta_data or ())
    found = (
        (Restriction.PRODUCTS, brands or bool(body.exclude_sale_items) or any(_numbers(getattr(body, name)) for name in _LISTS)),
        (Restriction.QUANTITY, bool(_count(body.limit_usage_to_x_items) or money(body.maximum_amount))),
        (Restriction.EMAILS, bool(body.email_restrictions)),
    )
    return tuple(restriction for restriction, holds in found if holds)


def _numbers(values: list[Number] | None) -> list[int]:
    return [int(number) for one in values or () if (number := money(one)) is not None]


def _count(value: Number) -> int:
    return int(money(value) or 0)


def _amount(code: DiscountCode) -> str:
    if code.value is None or code.value <= 0 or code.kind not in (CodeKind.PERCENTAGE, CodeKind.FIXED_AMOUNT):
        raise _refused(f"a code of the kind {code.kind.value} cannot be made without a value")
    if code.kind is CodeKind.PERCENTAGE and code.value > _HUNDRED:
        raise _refused("more than 100 percent cannot be taken off")
    return _money_text(code.value)


def _money_text(amount: Decimal) -> str:
    if amount != amount.quantize(_CENT):
        raise _refused("WooCommerce tells no more than two decimals of an amount")
    return f"{amount:f}"


def _refused(words: str) -> Rejected:
    return Rejected(words, platform=PLATFORM, call="coupon_create")
