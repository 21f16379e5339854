"""
The pretend WooCommerce's coupons: what the merchant keeps, what REST writes (every oddity of it), and what the checkout asks of them.

A `CouponBook` belongs to one store; it sends nothing (see `woocommerce_coupon_desk`). Take `lock` around several steps.
"""

import html
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

CODE_EXISTS = "woocommerce_rest_coupon_code_already_exists"
TYPES = ("percent", "fixed_cart", "fixed_product")
MOVES_MODIFIED = frozenset({"code", "description", "status"})
"""Only these changes move `date_modified`; amount, end, limits and e-mails do not."""
FLAGS = ("individual_use", "free_shipping", "exclude_sale_items")
LIMITS = ("usage_limit", "usage_limit_per_user", "limit_usage_to_x_items")
NUMBERS = ("product_ids", "excluded_product_ids", "product_categories", "excluded_product_categories")
_ZONED = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(Z|[+-]\d{2}:\d{2})")
_TAG = re.compile(r"</?[a-z][^>]*>", re.IGNORECASE)
_EMAIL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")


class CouponFault(Exception):
    """What REST answers instead of doing it: `code`, the words, the status and what stands beside it in `data`."""

    def __init__(self, code: str, message: str, status: int, **data: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.data = code, message, status, data

    def body(self) -> dict[str, Any]:
        """The REST error."""
        return {"code": self.code, "message": self.message, "data": {"status": self.status, **self.data}}


@dataclass(slots=True)
class Coupon:
    """One coupon, draft and trashed ones included. `used_by` has customer ids as text, for guests the e-mail; `meta` its id, key, value."""

    id: int
    code: str
    created_at: datetime
    modified_at: datetime
    amount: Decimal = Decimal(0)
    status: str = "publish"
    discount_type: str = "fixed_cart"
    description: str = ""
    expires_at: datetime | None = None
    usage_count: int = 0
    flags: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(FLAGS, False))
    limits: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(LIMITS))
    numbers: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in NUMBERS})
    minimum: Decimal = Decimal(0)
    maximum: Decimal = Decimal(0)
    emails: list[str] = field(default_factory=list)
    used_by: list[str] = field(default_factory=list)
    meta: list[dict[str, Any]] = field(default_factory=list)


class CouponBook:
    """
    All coupons of one store. `now` is its clock, `numbers` gives ids, `timezone` is the site's.

    Codes are lower-cased; two published coupons cannot have the same one, but a draft and a published one can. `behind`: how late the
    clock is by which the checkout sees that one has ended; may be set.
    """

    def __init__(self, now: Callable[[], datetime], numbers: Iterator[int], timezone: str = "Europe/Paris") -> None:
        self.now = now
        self.behind = timedelta()
        self.zone = ZoneInfo(timezone)
        self.lock = threading.RLock()
        self._numbers = numbers
        self._coupons: dict[int, Coupon] = {}
        self._counted: dict[int, tuple[tuple[str, ...], str]] = {}

    def __iter__(self) -> Iterator[Coupon]:
        with self.lock:
            return iter(list(self._coupons.values()))

    def find(self, number: int) -> Coupon | None:
        """The coupon with this id, also a trashed one."""
        return self._coupons.get(number)

    def by_code(self, code: str) -> Coupon | None:
        """What the checkout and `?code=` find: the newest published one of this name."""
        with self.lock:
            found = [one for one in self._coupons.values() if one.status == "publish" and one.code == formatted(code)]
        return max(found, key=lambda one: (one.created_at, one.id), default=None)

    def create(self, fields: Mapping[str, Any]) -> Coupon:
        """What `POST` does. Raises CouponFault."""
        with self.lock:
            if not formatted(fields.get("code") or ""):
                raise CouponFault("woocommerce_rest_empty_coupon_code", "The coupon code cannot be empty.", 400)
            now = self.now()
            coupon = Coupon(0, "", now, now)
            self._write(coupon, fields)
            coupon.id = next(self._numbers)
            self._coupons[coupon.id] = coupon
            return coupon

    def change(self, number: int, fields: Mapping[str, Any]) -> Coupon:
        """What `PUT` does. Raises CouponFault, with 400 for an id that is not there."""
        with self.lock:
            coupon = self._existing(number, 400)
            before = (coupon.code, coupon.description, coupon.status)
            self._write(coupon, fields)
            if before != (coupon.code, coupon.description, coupon.status):
                coupon.modified_at = self.now()
            return coupon

    def trash(self, number: int) -> Coupon:
        """What `DELETE` without force does. Raises CouponFault, with 410 if it is in the bin already."""
        with self.lock:
            coupon = self._existing(number, 404)
            if coupon.status == "trash":
                raise CouponFault("woocommerce_rest_already_trashed", "The shop_coupon has already been deleted.", 410)
            slug = re.sub(r"[^a-z0-9-]+", "-", coupon.code)
            for key, value in (("status", coupon.status), ("time", str(int(self.now().timestamp())))):
                self._put_meta(coupon, {"key": f"_wp_trash_meta_{key}", "value": value})
            self._put_meta(coupon, {"key": "_wp_desired_post_slug", "value": slug})
            coupon.status, coupon.modified_at = "trash", self.now()
            return coupon

    def delete(self, number: int) -> Coupon:
        """What `DELETE` with force does: nothing is left. Raises CouponFault."""
        with self.lock:
            coupon = self._existing(number, 404)
            del self._coupons[number]
            return coupon

    def restore(self, number: int) -> Coupon:
        """What wp-admin's "Restore" does: the former status comes back, and of the bin only the name it had there is noted."""
        with self.lock:
            coupon = self._existing(number, 404)
            notes = {one["key"]: one["value"] for one in coupon.meta}
            coupon.meta = [one for one in coupon.meta if not one["key"].startswith(("_wp_trash_", "_wp_desired_"))]
            self._put_meta(coupon, {"key": "_wp_old_slug", "value": f"{notes.get('_wp_desired_post_slug', coupon.code)}__trashed"})
            coupon.status, coupon.modified_at = notes.get("_wp_trash_meta_status", "publish"), self.now()
            return coupon

    def note_status(self, order_id: int, status: str, codes: list[str], used_by: str) -> None:
        """
        An order has this status now: its coupons count as used once, and no more once it is cancelled, failed or in the bin.

        `used_by`: the customer's id, for guests the e-mail. Neither moves a date nor sends anything.
        """
        with self.lock:
            counts = status in {"pending", "processing", "on-hold", "completed"}
            if counts and order_id not in self._counted:
                self._counted[order_id] = (tuple(codes), used_by.lower())
                self._count(self._counted[order_id], 1)
            elif status in {"cancelled", "failed", "trash"} and order_id in self._counted:
                self._count(self._counted.pop(order_id), -1)

    def counted(self, order_id: int, code: str, person: str | None = None) -> int:
        """1 if this order counts as a use of the coupon (by this person), else 0."""
        codes, used_by = self._counted.get(order_id, ((), ""))
        return int(code in codes and person in (None, used_by))

    def _count(self, use: tuple[tuple[str, ...], str], step: int) -> None:
        for code in use[0]:
            coupon = self.by_code(code)
            if coupon is None:
                continue
            coupon.usage_count = max(0, coupon.usage_count + step)
            if step > 0:
                coupon.used_by.append(use[1])
            elif use[1] in coupon.used_by:
                coupon.used_by.remove(use[1])

    def _existing(self, number: int, status: int) -> Coupon:
        if number not in self._coupons:
            raise CouponFault("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID.", status)
        return self._coupons[number]

    def _write(self, coupon: Coupon, fields: Mapping[str, Any]) -> None:
        """Everything is checked first; null counts as not given, and so does `date_expires_gmt`."""
        given = {name: value for name, value in fields.items() if value is not None}
        kind = given.get("discount_type", coupon.discount_type)
        if kind not in TYPES:
            raise CouponFault("coupon_invalid_discount_type", "Invalid discount type.", 400)
        amount = _amount(given["amount"]) if "amount" in given else coupon.amount
        if amount < 0 or (kind == "percent" and amount > 100):
            raise CouponFault("coupon_invalid_amount", "Invalid discount amount.", 400)
        code = formatted(given["code"]) if "code" in given else coupon.code
        holder = self.by_code(code) if "code" in given else None
        if holder is not None and holder.id != coupon.id:
            raise CouponFault(CODE_EXISTS, "The coupon code already exists", 400)
        coupon.code, coupon.amount, coupon.discount_type = code, amount, kind
        coupon.status, coupon.description = given.get("status", coupon.status), given.get("description", coupon.description)
        if "date_expires" in given:
            coupon.expires_at = self.instant(given["date_expires"])
        coupon.flags |= {name: bool(given[name]) for name in FLAGS if name in given}
        coupon.limits |= {name: int(given[name]) or None for name in LIMITS if name in given}
        coupon.numbers |= {name: [int(one) for one in given[name]] for name in NUMBERS if name in given}
        coupon.minimum = _amount(given.get("minimum_amount", coupon.minimum))
        coupon.maximum = _amount(given.get("maximum_amount", coupon.maximum))
        if "email_restrictions" in given:
            # What is no address is dropped without a word.
            coupon.emails = [one.lower() for one in given["email_restrictions"] if _EMAIL.fullmatch(one.lower())]
        for entry in given.get("meta_data", []):
            self._put_meta(coupon, entry)

    def instant(self, value: Any) -> datetime | None:
        """A date as REST takes it: exact with a zone, else site time; "" is none; nonsense is the beginning of 1970, site time."""
        if value == "":
            return None
        if zoned := _ZONED.fullmatch(str(value)):
            return datetime.fromisoformat(zoned[0]).astimezone(UTC)
        try:
            found = datetime.fromisoformat(str(value)).replace(tzinfo=None, microsecond=0)
        except ValueError:
            found = datetime(1970, 1, 1)  # noqa: DTZ001  # a wall clock without a zone, as WooCommerce holds it here
        return found.replace(tzinfo=self.zone).astimezone(UTC)

    def _put_meta(self, coupon: Coupon, entry: Mapping[str, Any]) -> None:
        """A value under a key; null takes it away."""
        held = next((one for one in coupon.meta if one["key"] == entry["key"]), None)
        if entry.get("value") is None:
            coupon.meta = [one for one in coupon.meta if one is not held]
        elif held is not None:
            held["value"] = entry["value"]
        else:
            coupon.meta.append({"id": next(self._numbers), "key": entry["key"], "value": entry["value"]})


def formatted(code: str) -> str:
    """A code as WooCommerce keeps and compares it: a post's title without tags and backslashes, HTML-escaped, in lower case."""
    bare = _TAG.sub("", html.unescape(code)).replace("\\", "").strip().lower()
    return html.escape(bare, quote=False)


def check_types(given: Mapping[str, Any]) -> None:
    """What REST looks at before anything is done, except in a batch. Raises CouponFault in its words."""
    wrong: dict[str, tuple[str, str, Any]] = {
        name: ("rest_invalid_type", f"{name} is not of type integer.", {"param": name})
        for name in LIMITS
        if given.get(name) is not None and not isinstance(given[name], int) and not str(given[name]).isdigit()
    }
    if (given.get("discount_type") or TYPES[0]) not in TYPES:
        words = "discount_type is not one of percent, fixed_cart, and fixed_product."
        wrong["discount_type"] = ("rest_not_in_enum", words, None)
    if wrong:
        details = {name: {"code": code, "message": words, "data": data} for name, (code, words, data) in wrong.items()}
        params = {name: words for name, (_, words, _) in wrong.items()}
        raise CouponFault("rest_invalid_param", f"Invalid parameter(s): {', '.join(wrong)}", 400, params=params, details=details)


def _amount(value: Any) -> Decimal:
    """An amount; what is no number is 0."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)
