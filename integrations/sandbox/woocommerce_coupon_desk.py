"""
The pretend WooCommerce's coupons towards the outside: the merchant's hands in wp-admin, REST v3, and the webhooks of both.

Nothing is sent when a coupon is used or ends, nor when it is deleted for good (but for `action.woocommerce_delete_coupon`).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from integrations.sandbox.web import Call
from integrations.sandbox.woocommerce_coupons import FLAGS, LIMITS, NUMBERS, Coupon, CouponBook, CouponFault, check_types

COUPONS = "/wp-json/wc/v3/coupons"
MOST = 100
DELETED_FOR_GOOD = ("action.woocommerce_delete_coupon",)
TRASHED_BY_REST = ("product.deleted", "coupon.deleted")
"""Trashing by REST also tells of a product with the coupon's id."""
ORDERS: Mapping[str, Callable[[Coupon], Any]] = {
    "date": lambda one: (one.created_at, one.id),
    "modified": lambda one: (one.modified_at, one.id),
    "id": lambda one: one.id,
    "include": lambda one: one.id,
    "title": lambda one: one.code,
    "slug": lambda one: one.code,
}
Json = dict[str, Any]
Endpoint = tuple[str, Callable[[Call], Response], str]


@dataclass(frozen=True, slots=True)
class CouponDesk:
    """A store's book of coupons with its webhooks: `fire` queues topics for one id, `origin` is the store's address."""

    book: CouponBook
    fire: Callable[[tuple[str, ...], int], None]
    origin: str

    def make(self, code: str, **fields: Any) -> Coupon:
        """The merchant makes a coupon in wp-admin: both created and updated are sent. Raises CouponFault."""
        coupon = self.book.create({"code": code, **fields})
        self.fire(("coupon.created", "coupon.updated"), coupon.id)
        return coupon

    def edit(self, number: int, **fields: Any) -> Coupon:
        """The merchant saves an edit. Raises CouponFault."""
        coupon = self.book.change(number, fields)
        self.fire(("coupon.updated",), number)
        return coupon

    def trash(self, number: int) -> None:
        """The merchant moves it to the bin: one coupon.deleted, no stray one."""
        self.book.trash(number)
        self.fire(("coupon.deleted",), number)

    def restore(self, number: int) -> None:
        """The merchant takes it out of the bin again."""
        self.book.restore(number)
        self.fire(("coupon.restored",), number)

    def delete(self, number: int) -> None:
        """The merchant deletes it for good: no coupon.deleted."""
        self.book.delete(number)
        self.fire(DELETED_FOR_GOOD, number)

    def endpoints(self) -> Sequence[Endpoint]:
        """Path, handler and methods of REST's routes; whoever serves them looks at the keys first."""
        return (
            (COUPONS, self._list_or_create, "GET POST"),
            (f"{COUPONS}/batch", self._batch, "POST PUT"),
            (f"{COUPONS}/{{id:int}}", self._one, "GET PUT POST DELETE"),
        )

    def payload(self, number: int) -> Json:
        """The body of coupon.created, updated and restored as it is now; of one that is gone a REST error."""
        coupon = self.book.find(number)
        gone = CouponFault("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID.", 404)
        return self.show(coupon) if coupon is not None else gone.body()

    def show(self, coupon: Coupon) -> Json:
        """A coupon with every key that core sends; money with two places, times in site time and in UTC."""
        shown: Json = {"id": coupon.id, "code": coupon.code, "amount": f"{coupon.amount:.2f}", "status": coupon.status}
        shown |= _times("date_created", coupon.created_at, self.book.zone) | _times("date_modified", coupon.modified_at, self.book.zone)
        shown |= {"discount_type": coupon.discount_type, "description": coupon.description}
        shown |= _times("date_expires", coupon.expires_at, self.book.zone)
        shown |= {"usage_count": coupon.usage_count, "individual_use": coupon.flags["individual_use"]}
        shown |= {name: list(coupon.numbers[name]) for name in NUMBERS[:2]} | {name: coupon.limits[name] for name in LIMITS}
        shown["free_shipping"] = coupon.flags["free_shipping"]
        shown |= {name: list(coupon.numbers[name]) for name in NUMBERS[2:]}
        shown |= {
            "exclude_sale_items": coupon.flags[FLAGS[2]],
            "minimum_amount": f"{coupon.minimum:.2f}",
            "maximum_amount": f"{coupon.maximum:.2f}",
            "email_restrictions": list(coupon.emails),
            "used_by": list(coupon.used_by),
            "meta_data": [dict(one) for one in coupon.meta],
        }
        own = {"href": f"{self.origin}{COUPONS}/{coupon.id}", "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}}
        return shown | {"_links": {"self": [own], "collection": [{"href": f"{self.origin}{COUPONS}"}]}}

    def _list_or_create(self, call: Call) -> Response:
        if call.method == "GET":
            return self._list(call)
        fields = _fields(call)
        if fields.get("code") is None:
            return _fault(CouponFault("rest_missing_callback_param", "Missing parameter(s): code", 400, params=["code"]))
        try:
            check_types(fields)
            coupon = self.book.create(fields)
        except CouponFault as fault:
            return _fault(fault)
        self.fire(("coupon.created",), coupon.id)
        return _answer(self.show(coupon), 201)

    def _list(self, call: Call) -> Response:
        """Published ones only, unless `status` asks for others; `any` leaves out the bin. `code` finds published ones only."""
        query = call.query
        statuses = set(query.get("status", "publish").split(","))
        found = [one for one in self.book if one.status in statuses or ("any" in statuses and one.status not in {"trash", "auto-draft"})]
        if query.get("code"):
            holder = self.book.by_code(query["code"])
            found = [one for one in found if holder is not None and one.id == holder.id]
        words = re.findall(r'[^\s",+]+', query.get("search", "").lower())
        found = [one for one in found if all(_fits(one, word) for word in words)]
        if query.get("include"):
            found = [one for one in found if str(one.id) in query["include"].split(",")]
        found = [one for one in found if self._is_after(one, query)]
        found.sort(key=ORDERS[query.get("orderby", "date")], reverse=query.get("order", "desc") == "desc")
        size, page = int(query.get("per_page", "10")), int(query.get("page", "1"))
        start = int(query.get("offset") or "0") or size * (page - 1)
        shown = [self.show(one) for one in found[start : start + size]]
        if query.get("_fields"):
            wanted = set(query["_fields"].split(","))
            shown = [{name: value for name, value in one.items() if name in wanted} for one in shown]
        return _answer(shown, 200, {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // size))})

    def _is_after(self, coupon: Coupon, query: Mapping[str, str]) -> bool:
        """`modified_after` and `modified_before`: strictly, in whole seconds; a zone makes site time of it, whatever the flag says."""
        zone = UTC if query.get("dates_are_gmt") in {"true", "1"} else self.book.zone
        at = coupon.modified_at.astimezone(zone).replace(tzinfo=None, microsecond=0)

        def bound(name: str) -> datetime | None:
            if name not in query:
                return None
            asked = datetime.fromisoformat(query[name])
            return (asked.astimezone(self.book.zone) if asked.tzinfo else asked).replace(tzinfo=None, microsecond=0)

        after, before = bound("modified_after"), bound("modified_before")
        return (after is None or at > after) and (before is None or at < before)

    def _one(self, call: Call) -> Response:
        number = int(call.parts["id"])
        try:
            if call.method == "DELETE":
                return _answer(self._delete(number, is_forced=call.query.get("force") in {"true", "1"}))
            if call.method == "GET":
                coupon = self.book.find(number)
                return _answer(self.payload(number), 200 if coupon is not None else 404)
            fields = _fields(call)
            check_types(fields)
            coupon = self.book.change(number, fields)
        except CouponFault as fault:
            return _fault(fault)
        self.fire(("coupon.updated",), number)
        return _answer(self.show(coupon))

    def _delete(self, number: int, *, is_forced: bool) -> Json:
        """The answer shows the coupon as it was before."""
        with self.book.lock:
            shown = self.payload(number)
            if is_forced:
                self.book.delete(number)
            else:
                self.book.trash(number)
        self.fire(DELETED_FOR_GOOD if is_forced else TRASHED_BY_REST, number)
        return shown

    def _batch(self, call: Call) -> Response:
        """Each item for itself, errors beside successes in a 200; deletions are for good."""
        asked = {name: part for name, part in _fields(call).items() if name in ("create", "update", "delete") and isinstance(part, list)}
        if sum(len(part) for part in asked.values()) > MOST:
            words = f"Unable to accept more than {MOST} items for this request."
            return _fault(CouponFault("woocommerce_rest_request_entity_too_large", words, 413))
        answer: Json = {}
        for name, part in asked.items():
            answer[name] = [self._item(name, item) for item in part]
        return _answer(answer)

    def _item(self, what: str, item: Any) -> Json:
        number = 0 if what == "create" else int(item if what == "delete" else item.get("id", 0))
        try:
            if what == "delete":
                return self._delete(number, is_forced=True)
            coupon = self.book.create(item) if what == "create" else self.book.change(number, item)
        except CouponFault as fault:
            return {"id": number, "error": fault.body()}
        self.fire(("coupon.created" if what == "create" else "coupon.updated",), coupon.id)
        return self.show(coupon)


def _fits(coupon: Coupon, word: str) -> bool:
    """WordPress's search: a part of title or excerpt; a leading hyphen excludes."""
    text = f"{coupon.code}\n{coupon.description.lower()}"
    return word[1:] not in text if word.startswith("-") and len(word) > 1 else word in text


def _times(name: str, at: datetime | None, zone: ZoneInfo) -> Json:
    if at is None:
        return {name: None, f"{name}_gmt": None}
    return {name: f"{at.astimezone(zone):%Y-%m-%dT%H:%M:%S}", f"{name}_gmt": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"}


def _fields(call: Call) -> Json:
    """The JSON object that was sent; anything else is empty."""
    try:
        value = json.loads(call.body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _fault(fault: CouponFault) -> Response:
    return _answer(fault.body(), fault.status)


def _answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as PHP writes it."""
    body = json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")
    return Response(body, status, dict(headers or {}), "application/json; charset=UTF-8")
