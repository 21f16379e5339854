"""
Many codes of the same terms. WooCommerce has one code to a coupon, so each is a coupon of its own, made of one that is the model.

Each notes at itself of which coupon it was made, and only what says so is ever suspended or deleted here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from connector.codes import CodeStatus, IssuedCodes
from connector.platforms import Rejected
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.coupon_calls import (
    EXISTS,
    UNKNOWN,
    NewestCoupons,
    coupons_of,
    coupons_under,
    delete_coupon,
    existing_coupon,
    has_code,
    hidden_codes,
    read_coupon,
)
from integrations.woocommerce.coupon_locks import check_locked, check_opened, resumed_end, resuming, suspending
from integrations.woocommerce.coupon_nodes import SERIES, CouponBody, code_of, series_of, to_code_state, to_copy
from integrations.woocommerce.payloads import PLATFORM

T = TypeVar("T")
BATCH = 25
"""Coupons written by one call: each is a post with two dozen fields, and the whole must be over before our patience is."""
GONE = "gone"
"""Why a code cannot be restored that the store has no more."""


def issue(call: Call, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
    """
    Make more codes of the same terms as a coupon; doing it again makes only what is missing.

    A name that another coupon has, a suspended one included, is refused. Raises Gone.
    """
    model = existing_coupon(call, platform_id)
    wanted = list(_by_name(codes).values())
    issued: list[str] = []
    refused: dict[str, str] = {}
    taken, newest = hidden_codes(call), NewestCoupons(call)
    for part in _parts(wanted):
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


def withdraw(call: Call, platform_id: str, codes: Sequence[str]) -> None:
    """Suspend those of these codes that are a coupon's own, or of its series; those that are gone are fine."""
    found = coupons_of(call, platform_id, codes)
    for _, changed in _change(call, "coupon_withdraw", [(body, suspending(body)) for body in found.values()]):
        if isinstance(changed, CouponBody):
            check_locked(changed, "coupon_withdraw")


def restore(call: Call, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
    """
    Undo `withdraw`, each with the end that it had. Refused is what is not there (any more), and a name that another coupon has got.

    That the model is gone does not matter: each is a coupon of its own.
    """
    asked = _by_name(codes)
    found = coupons_of(call, platform_id, codes)
    refused = dict.fromkeys(asked.keys() - found.keys(), GONE)
    # With its code in the change the store looks itself whether another coupon has got it.
    wanted = [(body, fields and {**fields, "code": name}) for name, body in found.items() for fields in [resuming(body)]]
    for body, changed in _change(call, "coupon_restore", wanted):
        if isinstance(changed, CouponBody):
            check_opened(changed, resumed_end(body), "coupon_restore")
        else:
            refused[code_of(body)] = changed
    issued = tuple(code for name, code in asked.items() if name not in refused)
    return IssuedCodes(issued, {asked[name]: reason for name, reason in refused.items()})


def clear(call: Call, platform_id: str, codes: Sequence[str]) -> tuple[str, ...]:
    """
    Delete those of these codes for good that nobody used and that no checkout takes any more; returns all that are not there.

    Not into the bin: of each coupon there WooCommerce sends two deliveries, and it would stay for thirty days. One that its merchant
    has given a new end is in use by its merchant, and stays as what was used does.
    """
    found = coupons_of(call, platform_id, codes)
    dead = [body for body in found.values() if _is_dead(body)]
    left = set(found) - {code_of(body) for body in dead}
    for part in _parts(dead):
        deleted = client.batch(call, "coupons", delete=[body.id for body in part]).delete
        for body, (told, _) in zip(part, deleted, strict=True):
            if told.error is not None and str(told.error.code) != UNKNOWN:
                left.add(code_of(body))
    return tuple(code for name, code in _by_name(codes).items() if name not in left)


def _is_dead(body: CouponBody) -> bool:
    state = to_code_state(body)
    return not state.used and state.status is CodeStatus.EXPIRED


def _make(call: Call, model: CouponBody, codes: Sequence[str]) -> dict[str, str]:
    """Make coupons of a model's terms; by code "", or why the store did not: its code for it."""
    if not codes:
        return {}
    terms = to_copy(model)
    terms["meta_data"] = [*terms["meta_data"], {"key": SERIES, "value": str(model.id)}]
    made = client.batch(call, "coupons", create=[terms | {"code": code.strip().lower()} for code in codes]).create
    outcome: dict[str, str] = {}
    for code, (told, raw) in zip(codes, made, strict=True):
        if told.error is not None:
            outcome[code] = str(told.error.code)
            continue
        body = read_coupon(raw)
        is_right = has_code(body, code) and _is_copy([body], model)
        if not is_right:
            delete_coupon(call, body.id)
        outcome[code] = "" if is_right else "kept_otherwise"
    return outcome


def _change(
    call: Call, name: str, wanted: Sequence[tuple[CouponBody, Mapping[str, Any] | None]]
) -> Iterator[tuple[CouponBody, CouponBody | str]]:
    """
    Write these fields (None: nothing to do). Each coupon as it was with what it is now, or why not: gone, or the code taken.

    Any other refusal is raised as Rejected.
    """
    needed = [(body, fields) for body, fields in wanted if fields is not None]
    for part in _parts(needed):
        told = client.batch(call, "coupons", update=[{"id": body.id, **fields} for body, fields in part]).update
        for (body, _), (outcome, raw) in zip(part, told, strict=True):
            if outcome.error is None:
                yield body, read_coupon(raw)
            elif outcome.error.code in (UNKNOWN, EXISTS):
                yield body, GONE if outcome.error.code == UNKNOWN else EXISTS
            else:
                raise Rejected(f"{outcome.error.code}: {outcome.error.message}", platform=PLATFORM, call=name)


def _is_copy(found: Sequence[CouponBody], model: CouponBody) -> bool:
    """Whether one of those that have a code was made of the model and has its terms."""
    return any(series_of(body) == str(model.id) and _terms(body) == _terms(model) for body in found)


def _terms(body: CouponBody) -> dict[str, Any]:
    return {name: value for name, value in to_copy(body).items() if name not in ("description", "meta_data")}


def _parts(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + BATCH] for start in range(0, len(things), BATCH))


def _by_name(codes: Sequence[str]) -> dict[str, str]:
    """Each code once, as it was written, by its name in lower case."""
    return {code.strip().lower(): code for code in codes if code.strip()}
