"""
The life of a post-purchase offer: draft -> active <-> suspended -> deactivated -> deleted, and what suspends and resumes it.

Everything is judged by our own clock and by what was read last, so an end needs nobody to tell us of it (SH-28).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connector.codes import CodeState
from connector.errors import Refused
from connector.rules.discounts import Ineligible, why_not

FORECAST = timedelta(days=3)
"""So long before the end of its code an owner is told that the offer will stop (NH-18)."""
BANNER_WIDTH, BANNER_HEIGHT = 933, 480


class OfferState(StrEnum):
    """Where an offer is in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


MOVES: Mapping[OfferState, frozenset[OfferState]] = {
    OfferState.DRAFT: frozenset({OfferState.ACTIVE, OfferState.DELETED}),
    OfferState.ACTIVE: frozenset({OfferState.SUSPENDED, OfferState.DEACTIVATED, OfferState.DELETED}),
    # Suspended for something else: what was lacking is there again, but meanwhile the code has gone.
    OfferState.SUSPENDED: frozenset({OfferState.ACTIVE, OfferState.SUSPENDED, OfferState.DEACTIVATED, OfferState.DELETED}),
    OfferState.DEACTIVATED: frozenset({OfferState.ACTIVE, OfferState.DELETED}),
    OfferState.DELETED: frozenset(),
}
"""From each state the states that may follow. A draft stays one while it is edited; what is deleted never comes back."""


class CodeMode(StrEnum):
    """One code for all who are given the offer, or a code of their own for each."""

    SHARED = "shared"
    UNIQUE = "unique"


class Suspension(StrEnum):
    """Why an offer cannot be honoured (SH-27 to SH-30); all but REQUIREMENTS need a new code of the merchant."""

    CODE_DELETED = "code_deleted"
    CODE_EXPIRED = "code_expired"
    CODE_USED_UP = "code_used_up"
    CODE_NOT_STARTED = "code_not_started"
    CODE_REFUSED = "code_refused"
    UNSUPPORTED_TYPE = "unsupported_type"
    REQUIREMENTS = "requirements"


class Requirement(StrEnum):
    """What a merchant's store must be for its offers (SH-30)."""

    CONNECTION = "connection"
    SHOP_OPEN = "shop_open"
    SCOPES = "scopes"
    STOREFRONT = "storefront"
    SENDER = "sender"


class Storefront(StrEnum):
    """Whether shoppers can buy in the store: OPEN, behind a PASSWORD (or "coming soon"), or FROZEN by its platform."""

    OPEN = "open"
    PASSWORD = "password"  # noqa: S105 -- a state of a store
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class ShopStanding:
    """What of a shop its offers depend on. `lacks_scopes`: those that codes need. `can_send_mail`: messages have somewhere to go."""

    is_connected: bool = True
    lacks_scopes: tuple[str, ...] = ()
    storefront: Storefront = Storefront.OPEN
    can_send_mail: bool = True


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """
    An offer as the rules see it, with the terms of its newest version.

    `ends_at`: the end that we gave it, if we did. `is_being_made`: its code is wanted of the store and not there yet. `refusal`: why the
    store does not make it, or makes no more, for good.
    """

    state: OfferState
    reason: Suspension | None = None
    mode: CodeMode = CodeMode.SHARED
    ends_at: datetime | None = None
    is_being_made: bool = False
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an offer cannot be honoured now; `detail` names the requirement, the restriction, or says what the store said."""

    reason: Suspension
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """The state that an offer must go to by itself, and why if it is suspended."""

    to: OfferState
    problem: Problem | None = None


_BY_CODE: Mapping[Ineligible, Suspension] = {
    Ineligible.MISSING: Suspension.CODE_DELETED,
    Ineligible.EXPIRED: Suspension.CODE_EXPIRED,
    Ineligible.SCHEDULED: Suspension.CODE_NOT_STARTED,
    Ineligible.USED_UP: Suspension.CODE_USED_UP,
}


def check_move(before: OfferState, after: OfferState) -> None:
    """Raises Refused if an offer may not go from one state to the other."""
    if after not in MOVES[before]:
        raise Refused("an offer that is {before} cannot become {after}", before=before.value, after=after.value)


def lacking(shop: ShopStanding) -> tuple[Requirement, ...]:
    """What a shop lacks, in the order in which a merchant would mend it."""
    lacks = (
        (not shop.is_connected, Requirement.CONNECTION),
        (shop.storefront is Storefront.FROZEN, Requirement.SHOP_OPEN),
        (bool(shop.lacks_scopes), Requirement.SCOPES),
        (shop.storefront is Storefront.PASSWORD, Requirement.STOREFRONT),
        (not shop.can_send_mail, Requirement.SENDER),
    )
    return tuple(requirement for holds, requirement in lacks if holds)


def find_problem(offer: OfferFacts, code: CodeState | None, shop: ShopStanding, now: datetime) -> Problem | None:
    """
    The first reason why nobody can be given this offer at `now`; the code's before the store's, as only the merchant can mend those.

    `code`: of a shared offer, as it was read last; None: the store has none. An end of our own counts whatever the store says.
    """
    if offer.refusal is not None:
        return Problem(Suspension.CODE_REFUSED, offer.refusal)
    if offer.ends_at is not None and offer.ends_at <= now:
        return Problem(Suspension.CODE_EXPIRED)
    if offer.mode is CodeMode.SHARED and not (code is None and offer.is_being_made):
        reasons = why_not(code, now)
        if reasons:
            reason = _BY_CODE.get(reasons[0], Suspension.UNSUPPORTED_TYPE)
            return Problem(reason, reasons[0].value if reason is Suspension.UNSUPPORTED_TYPE else "")
    lacks = lacking(shop)
    return Problem(Suspension.REQUIREMENTS, lacks[0].value) if lacks else None


def next_move(state: OfferState, reason: Suspension | None, problem: Problem | None) -> Move | None:
    """
    Where an offer goes by itself. Only what the merchant's store lacked comes back by itself; a code that is there again does not (SH-33).
    """
    if state is OfferState.ACTIVE and problem is not None:
        return Move(OfferState.SUSPENDED, problem)
    if state is OfferState.SUSPENDED and reason is Suspension.REQUIREMENTS:
        if problem is None:
            return Move(OfferState.ACTIVE)
        if problem.reason is not Suspension.REQUIREMENTS:
            return Move(OfferState.SUSPENDED, problem)
    return None


def is_given(state: OfferState, problem: Problem | None) -> bool:
    """Whether people are given, and shown, this offer at this moment, whether or not anybody has written its suspension down yet."""
    return state is OfferState.ACTIVE and problem is None


def is_shown(state: OfferState, shop: ShopStanding) -> bool:
    """
    Whether those who were given an offer are shown it still, as far as the offer goes; what they see depends on their own code besides.

    A suspension for the sake of the offer's newest code is none of theirs (SH-33). Switched off or deleted it is shown to nobody
    (SH-05), nor while nobody can buy in the store or nobody can say what its codes are worth.
    """
    ends = {Requirement.CONNECTION, Requirement.SHOP_OPEN, Requirement.STOREFRONT}
    return state in (OfferState.ACTIVE, OfferState.SUSPENDED) and ends.isdisjoint(lacking(shop))


def forecast(state: OfferState, ends_at: datetime | None, now: datetime) -> datetime | None:
    """When an active offer will stop, if that is three days away or less."""
    is_near = state is OfferState.ACTIVE and ends_at is not None and now < ends_at <= now + FORECAST
    return ends_at if is_near else None


def names_code(code: str, texts: Sequence[str]) -> bool:
    """Whether a text holds the code as a word of its own, in any letter case (SH-15)."""
    wanted = unicodedata.normalize("NFKC", code).strip()
    if not wanted:
        return False
    pattern = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)", re.IGNORECASE)
    return any(pattern.search(unicodedata.normalize("NFKC", text)) for text in texts)


def is_cropped(width: int, height: int) -> bool:
    """Whether a picture of this size is cut where offers are shown (SH-14)."""
    return (width, height) != (BANNER_WIDTH, BANNER_HEIGHT)


def visible_part(width: int, height: int) -> tuple[int, int, int, int]:
    """What of a picture is seen: left, top, width, height of the largest part from its middle that has the banner's shape."""
    if width * BANNER_HEIGHT > height * BANNER_WIDTH:
        seen = max(1, round(height * BANNER_WIDTH / BANNER_HEIGHT))
        return (width - seen) // 2, 0, seen, height
    seen = max(1, round(width * BANNER_HEIGHT / BANNER_WIDTH))
    return 0, (height - seen) // 2, width, seen
