"""
Single calls about coupons: found by number, code and words; changed and deleted. Reading back and deciding is for `coupons`.

`?code=` finds published coupons only, and lists show them only unless `status` asks for others; the search is WordPress's own.
Source: class-wc-rest-coupons-controller.php, class-wc-coupon-data-store-cpt.php; seen on 10.5.3 and 11.0.1.
"""

import re
from collections.abc import Mapping, Sequence
from os.path import commonprefix
from typing import Any, Final

import msgspec

from connector import decoding
from connector.platforms import Gone, PayloadError, PlatformError, Rejected, TransientError
from integrations.transport import decode
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call, send
from integrations.woocommerce.coupon_nodes import CouponBody, code_of, series_of, to_code_state
from integrations.woocommerce.payloads import PLATFORM

COUPONS: Final = "wc/v3/coupons"
EXISTS = "woocommerce_rest_coupon_code_already_exists"
UNKNOWN = "woocommerce_rest_shop_coupon_invalid_id"
MOST_ALIKE = 20
"""Pages of coupons with similar names that are looked through for one name."""
SHORTEST_COMMON = 3
"""What so few letters find is most of the book."""
_SPLIT = re.compile(r'[\s",+]+')
_ESCAPED = re.compile(r'[\s",+&<>\\]+')
"""Codes are kept with HTML entities, in which a search for the sign itself finds nothing."""


def coupon_by_id(call: Call, platform_id: str) -> CouponBody | None:
    """A coupon by its number, None if it is gone or in the bin."""
    if not is_number(platform_id):
        return None
    try:
        body = read_coupon(client.read_record(call, "coupon", f"{COUPONS}/{platform_id}"))
    except Gone:
        return None
    return None if body.is_gone else body


def existing_coupon(call: Call, platform_id: str) -> CouponBody:
    """As `coupon_by_id`. Raises Gone."""
    body = coupon_by_id(call, platform_id)
    if body is None:
        raise Gone("there is no such coupon any more", platform=PLATFORM, call="coupon", status=404)
    return body


def published_under(call: Call, code: str) -> list[CouponBody]:
    """The coupon that the checkout finds under this code. `code` finds no drafts. (class-wc-coupon-data-store-cpt.php)"""
    listed = client.list_records(call, "coupon_by_code", COUPONS, {"code": code.strip()})
    return [body for raw in listed.records if has_code(body := read_coupon(raw), code)]


def coupons_under(call: Call, code: str) -> list[CouponBody]:
    """Every coupon of exactly this code outside the bin, oldest first, published or not; found by the longest part of the code."""
    found: list[CouponBody] = []
    longest = max(_ESCAPED.split(code.strip()), key=len)
    for page in range(1, MOST_ALIKE + 1):
        bodies, _, is_last = search_coupons(call, longest, page)
        found += [body for body in bodies if has_code(body, code)]
        if is_last:
            break
    return found


def coupons_of(call: Call, platform_id: str, codes: Sequence[str]) -> dict[str, CouponBody]:
    """
    Those coupons outside the bin that have one of these codes and were made of the coupon `platform_id`, or are it, by code in lower case.

    What the codes have in common finds many at a time; it is asked for no more often than they would be one by one.
    """
    wanted = {code.strip().lower() for code in codes if code.strip()}
    found: dict[str, CouponBody] = {}
    common = max(_ESCAPED.split(commonprefix(list(wanted))), key=len)  # noqa: RUF071 -- letter by letter is what is wanted
    for page in range(1, len(wanted) + 1 if len(wanted) > 1 and len(common) >= SHORTEST_COMMON else 1):
        bodies, _, is_last = search_coupons(call, common, page, is_newest_first=True)
        found |= {code_of(body): body for body in bodies if code_of(body) in wanted and is_of(body, platform_id)}
        if is_last or len(found) == len(wanted):
            return found
    for code in wanted - set(found):
        found |= {code_of(body): body for body in coupons_under(call, code) if is_of(body, platform_id)}
    return found


def is_of(body: CouponBody, platform_id: str) -> bool:
    """Whether a coupon outside the bin is this one, or one that we made of it."""
    return not body.is_gone and platform_id in (str(body.id), series_of(body))


def search_coupons(call: Call, words: str, page: int, *, is_newest_first: bool = False) -> tuple[list[CouponBody], tuple[str, ...], bool]:
    """One page of WordPress's search, those that make no sense apart, and whether it is the last page."""
    order = "desc" if is_newest_first else "asc"
    params = {"status": "any", "orderby": "id", "order": order, "per_page": str(client.PAGE_SIZE), "page": str(page)}
    # A leading hyphen would exclude the word.
    if terms := [term for word in _SPLIT.split(words) if (term := word.lstrip("-"))]:
        params["search"] = " ".join(terms)
    listed = client.list_records(call, "coupons", COUPONS, params)
    bodies, unreadable = sensible(listed)
    return bodies, unreadable, len(listed.records) < client.PAGE_SIZE


def sensible(listed: client.Listed) -> tuple[list[CouponBody], tuple[str, ...]]:
    """The coupons of a page, and apart those that make no sense, with the reason."""
    bodies: list[CouponBody] = []
    unreadable: list[str] = []
    for number, raw in zip(listed.ids, listed.records, strict=True):
        try:
            body = read_coupon(raw)
            to_code_state(body)
            bodies.append(body)
        except (PayloadError, TransientError) as error:
            unreadable.append(f"{number}: {error}")
    return bodies, tuple(unreadable)


def has_code(body: CouponBody, code: str) -> bool:
    """Whether a coupon outside the bin has exactly this code."""
    return not body.is_gone and code_of(body) == code.strip().lower()


def hidden_codes(call: Call) -> set[str]:
    """The codes of all coupons that are neither published nor in the bin: WooCommerce would make a second one beside them."""
    found: set[str] = set()
    params = {"status": "draft,pending,private,future", "orderby": "id", "order": "asc", "_fields": "id,code"}
    for page in range(1, client.MAX_PAGES):
        listed = client.list_records(call, "coupons", COUPONS, params | {"per_page": str(client.PAGE_SIZE), "page": str(page)})
        found |= {code_of(read_coupon(raw)) for raw in listed.records}
        if len(listed.records) < client.PAGE_SIZE:
            break
    return found


class NewestCoupons:
    """A store's newest coupons, read when they are asked for first: among them are those that a lost answer left behind."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._found: list[CouponBody] | None = None

    def find(self, code: str) -> list[CouponBody]:
        """Those of exactly this code."""
        if self._found is None:
            params = {"status": "any", "orderby": "id", "order": "desc", "per_page": str(client.PAGE_SIZE)}
            self._found, _ = sensible(client.list_records(self._call, "coupons", COUPONS, params))
        return [body for body in self._found if has_code(body, code)]


def change_coupon(call: Call, name: str, platform_id: str, fields: Mapping[str, Any]) -> CouponBody:
    """Change a coupon that was there a moment ago. Raises Gone."""
    try:
        return write_coupon(call, name, "PUT", f"{COUPONS}/{platform_id}", fields)
    except Rejected as error:
        # 400 where reading answers 404.
        if says(error, UNKNOWN):
            raise Gone("there is no such coupon any more", platform=PLATFORM, call=name, status=error.status) from error
        raise


def write_coupon(call: Call, name: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> CouponBody:
    """One change; the answer shows the coupon as it is now, for a deletion as it was. A page with a 200 has done nothing."""
    answer = send(call, name, method, path, json=fields)
    return decode(answer, CouponBody, platform=PLATFORM, call=name)


def delete_coupon(call: Call, platform_id: int | str) -> None:
    """Delete for good; gone is fine."""
    try:
        answer = send(call, "coupon_delete", "DELETE", f"{COUPONS}/{platform_id}", params={"force": "true"})
    except Gone:
        return
    decode(answer, CouponBody, platform=PLATFORM, call="coupon_delete")


def read_coupon(raw: bytes | msgspec.Raw) -> CouponBody:
    """One coupon of a list or batch. Raises TransientError for something else."""
    try:
        return decoding.decode(bytes(raw), CouponBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(f"unreadable answer: {error}", platform=PLATFORM, call="coupon") from error


def says(error: PlatformError, code: str) -> bool:
    """Whether a refusal is this one of WooCommerce's; the words begin with its code for it."""
    return str(error).startswith(f"{code}:")


def is_number(platform_id: str) -> bool:
    """Whether it can be a coupon's id at all; anything else must not get into an address."""
    return platform_id.isascii() and platform_id.isdigit()
