"""
Discount codes of one store, which are its coupons: looked up before they are made, and after every answer that leaves it open.

What was written is read back from the answer: WooCommerce drops or alters what it does not like without a word. Nothing here can be
repeated safely, so after an unclear answer only a look tells whether it was done.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connector import clock
from connector.codes import CodeKind, CodeState, DiscountCode, IssuedCodes
from connector.platforms import Access, CodeTaken, Gone, Rejected, ThrottledError, TransientError
from connector.reading import Page
from integrations.transport import Transport
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.coupon_calls import (
    COUPONS,
    NewestCoupons,
    change_coupon,
    coupon_by_id,
    coupons_under,
    delete_coupon,
    existing_coupon,
    has_code,
    hidden_codes,
    is_number,
    published_under,
    read_coupon,
    says,
    search_coupons,
    sensible,
    write_coupon,
)
from integrations.woocommerce.coupon_nodes import (
    FORMER_END,
    NO_END,
    SUSPENDED_AT,
    CouponBody,
    code_of,
    differences,
    former_end,
    to_code_state,
    to_copy,
    to_fields,
    wire_time,
)
from integrations.woocommerce.payloads import PLATFORM
from integrations.woocommerce.values import instant

__all__ = ("CouponBody", "WooCodes", "coupon_now", "to_code_state")

EXISTS = "woocommerce_rest_coupon_code_already_exists"
BATCH = 25
"""Coupons made by one call: each is a post with two dozen fields, and the whole must be over before our patience is."""


class WooCodes:
    """Implements `platforms.Codes`; safe to call from many threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def issue_code(self, access: Access, code: DiscountCode) -> CodeState:
        """
        Make sure that this code exists, exactly as wanted. Title and use do not count; whatever else differs makes it another one, and
        so does being suspended.

        A fixed amount or a minimum is refused for a store with another currency. What the store kept otherwise than asked is deleted
        again. Raises: CodeTaken, Rejected, and as all calls do.
        """
        call = Call(self._transport, access)
        fields = to_fields(code, clock.now())
        if held := _held(coupons_under(call, code.code), code):
            return to_code_state(held)
        _check_currency(call, code)
        try:
            made = write_coupon(call, "coupon_create", "POST", COUPONS, fields)
        except ThrottledError:
            raise
        except TransientError:
            # Nobody knows whether it was made.
            if held := _held(coupons_under(call, code.code), code):
                return to_code_state(held)
            raise
        except Rejected as error:
            if not says(error, EXISTS):
                raise
            # Somebody was faster.
            if held := _held(coupons_under(call, code.code) or published_under(call, code.code), code):
                return to_code_state(held)
            raise _taken() from error
        return _proven(call, made, code)

    def issue_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """
        Make more codes of the same terms as a coupon; doing it again makes only what is missing.

        WooCommerce has one code to a coupon: each becomes a coupon of its own, to be suspended and deleted by itself. A name that
        another coupon has, a suspended one included, is refused. Raises Gone.
        """
        call = Call(self._transport, access)
        model = existing_coupon(call, platform_id)
        wanted = list({code.strip().lower(): code for code in codes if code.strip()}.values())
        issued: list[str] = []
        refused: dict[str, str] = {}
        taken, newest = hidden_codes(call), NewestCoupons(call)
        for start in range(0, len(wanted), BATCH):
            part = wanted[start : start + BATCH]
            free = [code for code in part if code.strip().lower() not in taken]
            outcome = dict.fromkeys(part, EXISTS) | _make(call, model, free)
            for code, reason in outcome.items():
                if reason == EXISTS and _is_copy(newest.find(code) or coupons_under(call, code), model):
                    reason = ""
                if reason:
                    refused[code] = reason
                else:
                    issued.append(code)
        return IssuedCodes(tuple(issued), refused)

    def read_code(self, access: Access, code: str) -> CodeState | None:
        """
        The coupon that has this code, whatever its letter case; None if the code is free.

        Of several the one that the checkout takes; if there is none, the first that is a draft, pending or scheduled.
        """
        call = Call(self._transport, access)
        if not code.strip():
            return None
        found = published_under(call, code) or coupons_under(call, code)
        return to_code_state(found[0]) if found else None

    def codes_now(self, access: Access, platform_ids: Sequence[str]) -> Mapping[str, CodeState]:
        """Coupons by their numbers, a hundred in one call; those that are gone, in the bin or make no sense are left out."""
        call = Call(self._transport, access)
        numbers = [number for number in platform_ids if is_number(number)]
        found: dict[str, CodeState] = {}
        for start in range(0, len(numbers), client.PAGE_SIZE):
            part = ",".join(numbers[start : start + client.PAGE_SIZE])
            params = {"include": part, "status": "any", "per_page": str(client.PAGE_SIZE)}
            bodies, _ = sensible(client.list_records(call, "coupons", COUPONS, params))
            found |= {str(body.id): to_code_state(body) for body in bodies if not body.is_gone}
        return found

    def find_codes(self, access: Access, words: str, cursor: str | None = None) -> Page:
        """Coupons with these words in code or description, oldest first, drafts included. An empty text finds all."""
        call = Call(self._transport, access)
        page = int(cursor) if cursor and cursor.isdigit() else 1
        bodies, unreadable, is_last = search_coupons(call, words, page)
        return Page(tuple(to_code_state(body) for body in bodies), None if is_last else str(page + 1), unreadable)

    def suspend_code(self, access: Access, platform_id: str) -> None:
        """
        Make it a draft, which the checkout does not know, and end it in the year 2000 besides. Raises Gone.

        The end that it had is noted at the coupon itself, so that `resume_code` can give it back.
        """
        call = Call(self._transport, access)
        body = existing_coupon(call, platform_id)
        end = instant(body.date_expires_gmt)
        if end == SUSPENDED_AT and not body.is_published:
            return
        fields: dict[str, Any] = {"status": "draft", "date_expires": wire_time(SUSPENDED_AT)}
        if end != SUSPENDED_AT:
            fields["meta_data"] = [{"key": FORMER_END, "value": wire_time(end) if end else NO_END}]
        changed = change_coupon(call, "coupon_suspend", platform_id, fields)
        if changed.is_published or instant(changed.date_expires_gmt) != SUSPENDED_AT:
            raise TransientError("the store did not suspend the coupon", platform=PLATFORM, call="coupon_suspend", status=200)

    def resume_code(self, access: Access, platform_id: str) -> None:
        """
        Publish it again, with the end that it had when we suspended it; where that is not known, a past end is taken away and any
        other stays. Raises Gone, and CodeTaken if another coupon has got the code meanwhile.
        """
        call = Call(self._transport, access)
        body = existing_coupon(call, platform_id)
        is_ended, former = former_end(body)
        if body.is_published and instant(body.date_expires_gmt) != SUSPENDED_AT:
            return
        if any(other.id != body.id for other in published_under(call, code_of(body))):
            raise _taken()
        end = former if is_ended else _future(instant(body.date_expires_gmt))
        fields: dict[str, Any] = {"status": "publish", "date_expires": wire_time(end) if end else ""}
        # The note stays: WooCommerce would delete it before it sets the end, and a store that dies in between would have lost it.
        changed = change_coupon(call, "coupon_resume", platform_id, fields)
        if not changed.is_published or instant(changed.date_expires_gmt) != end:
            raise TransientError("the store did not resume the coupon", platform=PLATFORM, call="coupon_resume", status=200)

    def delete_code(self, access: Access, platform_id: str) -> None:
        """Put the coupon into the bin, from which its merchant can take it; delete it where the site has no bin. Gone is fine."""
        if not is_number(platform_id):
            return
        call = Call(self._transport, access)
        try:
            write_coupon(call, "coupon_delete", "DELETE", f"{COUPONS}/{platform_id}")
        except Gone:
            return
        except Rejected as error:
            if error.status != 501:
                raise
            delete_coupon(call, platform_id)


def coupon_now(call: Call, platform_id: str) -> CodeState | None:
    """A coupon by its number as it is now, None if it is gone or in the bin. Raises PlatformError."""
    body = coupon_by_id(call, platform_id)
    return None if body is None else to_code_state(body)


def _held(found: Sequence[CouponBody], code: DiscountCode) -> CouponBody | None:
    """The coupon that is as wanted, None if the code is free. Raises CodeTaken if only another one has it."""
    for body in found:
        if not differences(body, code):
            return body
    if found:
        raise _taken()
    return None


def _check_currency(call: Call, code: DiscountCode) -> None:
    """Coupons name no currency: an amount in another one than the store's would be given in the store's. Raises Rejected."""
    if code.currency is None or (code.minimum_subtotal is None and code.kind is not CodeKind.FIXED_AMOUNT):
        return
    told = client.read_settings(call, "general").get("woocommerce_currency")
    if told is not None and told != code.currency:
        raise Rejected(f"the store's currency is {told}", platform=PLATFORM, call="coupon_create")


def _proven(call: Call, made: CouponBody, code: DiscountCode) -> CodeState:
    """
    What was just made, if it is what was asked for; else it is deleted again. Raises Rejected.

    WooCommerce looks for the code and inserts the coupon in two steps: of two made at the same moment only the older one stays.
    """
    if wrong := differences(made, code):
        delete_coupon(call, made.id)
        raise Rejected(f"the store kept it otherwise than asked: {', '.join(wrong)}", platform=PLATFORM, call="coupon_create", status=200)
    first = min(coupons_under(call, code.code), key=lambda one: one.id, default=made)
    if first.id >= made.id:
        return to_code_state(made)
    delete_coupon(call, made.id)
    if differences(first, code):
        raise _taken()
    return to_code_state(first)


def _make(call: Call, model: CouponBody, codes: Sequence[str]) -> dict[str, str]:
    """Make coupons of a model's terms; by code "", or why the store did not: its code for it."""
    if not codes:
        return {}
    terms = to_copy(model)
    made = client.batch(call, "coupons", create=[terms | {"code": code.strip().lower()} for code in codes]).create
    outcome: dict[str, str] = {}
    for code, (told, raw) in zip(codes, made, strict=True):
        if told.error is not None:
            outcome[code] = str(told.error.code)
            continue
        body = read_coupon(raw)
        is_right = has_code(body, code) and _terms(body) == _terms(model)
        if not is_right:
            delete_coupon(call, body.id)
        outcome[code] = "" if is_right else "kept_otherwise"
    return outcome


def _is_copy(found: Sequence[CouponBody], model: CouponBody) -> bool:
    """Whether one of those that have a code already has the model's terms."""
    return any(_terms(body) == _terms(model) for body in found)


def _terms(body: CouponBody) -> dict[str, Any]:
    return {name: value for name, value in to_copy(body).items() if name not in ("description", "meta_data")}


def _future(end: datetime | None) -> datetime | None:
    return end if end is not None and end > clock.now() else None


def _taken() -> CodeTaken:
    return CodeTaken("another coupon of the store has this code", platform=PLATFORM, call="coupon_create")
