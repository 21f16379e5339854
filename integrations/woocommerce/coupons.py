"""
Discount codes of one store, which are its coupons: looked up before they are made, and after every answer that leaves it open.

What was written is read back from the answer: WooCommerce drops or alters what it does not like without a word. Nothing here can be
repeated safely, so after an unclear answer only a look tells whether it was done.
"""

from collections.abc import Mapping, Sequence

from connector import clock
from connector.codes import CodeKind, CodeState, DiscountCode, IssuedCodes
from connector.platforms import Access, CodeTaken, Gone, Rejected, ThrottledError, TransientError
from connector.reading import Page
from integrations.transport import Transport
from integrations.woocommerce import client, coupon_series
from integrations.woocommerce.calling import Call
from integrations.woocommerce.coupon_calls import (
    COUPONS,
    EXISTS,
    change_coupon,
    coupon_by_id,
    coupons_under,
    delete_coupon,
    existing_coupon,
    is_number,
    published_under,
    says,
    search_coupons,
    sensible,
    write_coupon,
)
from integrations.woocommerce.coupon_locks import check_locked, check_opened, resumed_end, resuming, suspending
from integrations.woocommerce.coupon_nodes import CouponBody, code_of, differences, to_code_state, to_fields
from integrations.woocommerce.payloads import PLATFORM

__all__ = ("CouponBody", "WooCodes", "coupon_now", "to_code_state")


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
        """See `coupon_series.issue`."""
        return coupon_series.issue(Call(self._transport, access), platform_id, codes)

    def withdraw_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> None:
        """See `coupon_series.withdraw`."""
        coupon_series.withdraw(Call(self._transport, access), platform_id, codes)

    def restore_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """See `coupon_series.restore`."""
        return coupon_series.restore(Call(self._transport, access), platform_id, codes)

    def clear_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> tuple[str, ...]:
        """See `coupon_series.clear`."""
        return coupon_series.clear(Call(self._transport, access), platform_id, codes)

    def use_url(self, shop_url: str, code: str) -> str | None:
        """None: the only link of WooCommerce's with a coupon needs products, and empties the visitor's cart. (CheckoutLink.php, 10.0 on)"""
        return None

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

        Coupons that were made of it go on: each has its own end, and is withdrawn by itself.
        """
        call = Call(self._transport, access)
        fields = suspending(existing_coupon(call, platform_id))
        if fields is not None:
            check_locked(change_coupon(call, "coupon_suspend", platform_id, fields), "coupon_suspend")

    def resume_code(self, access: Access, platform_id: str) -> None:
        """
        Publish it again, with the end that it had when we suspended it; where that is not known, a past end is taken away and any
        other stays. Raises Gone, and CodeTaken if another coupon has got the code meanwhile.
        """
        call = Call(self._transport, access)
        body = existing_coupon(call, platform_id)
        fields = resuming(body)
        if fields is None:
            return
        if any(other.id != body.id for other in published_under(call, code_of(body))):
            raise _taken()
        check_opened(change_coupon(call, "coupon_resume", platform_id, fields), resumed_end(body), "coupon_resume")

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


def _taken() -> CodeTaken:
    return CodeTaken("another coupon of the store has this code", platform=PLATFORM, call="coupon_create")
