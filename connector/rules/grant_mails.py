"""Whether the e-mail of a grant may leave now, must wait, or never will."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connector.rules.discounts import Ineligible
from connector.rules.grants import FRESH, GrantReason, GrantState
from connector.rules.offers import OfferState

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
PATIENCE = FRESH
"""So long a mail waits for an offer or a store to come back; later the shopper has long forgotten the purchase."""


class MailReason(StrEnum):
    """Why a mail was cancelled, beside the reasons of its grant: those come back as they are."""

    SUPPRESSED = "suppressed"
    SHOP_DISCONNECTED = "shop_disconnected"
    OFFER_OFF = "offer_off"
    TOO_LATE = "too_late"
    RETRYING = "retrying"
    REFUSED = "refused"
    NOT_COMPOSED = "not_composed"
    UNKNOWN_OUTCOME = "unknown_outcome"


TAKEN_BACK = frozenset(
    {
        GrantReason.ORDER_REFUNDED,
        GrantReason.ORDER_CANCELLED,
        GrantReason.ORDER_DISPUTED,
        GrantReason.ORDER_DELETED,
        GrantReason.ORDER_UNPAID,
        GrantReason.HOLDS_OTHER,
    }
)
"""A mail that was cancelled for one of these leaves after all if its grant is live again."""
_OVER = frozenset({"expired", Ineligible.MISSING.value, Ineligible.USED_UP.value, Ineligible.EXPIRED.value})


@dataclass(frozen=True, slots=True)
class MailFacts:
    """
    All that a mail depends on. `hidden`: see `rules.grants.why_hidden`; `is_given`: see `rules.offers.is_given`.

    `is_elsewhere`: the store is being spoken for by another address, so nobody knows which one this is.
    """

    grant_state: GrantState
    grant_reason: str | None
    hidden: str | None
    offer_state: OfferState
    is_given: bool
    queued_at: datetime
    is_installed: bool = True
    is_elsewhere: bool = False
    is_suppressed: bool = False


@dataclass(frozen=True, slots=True)
class MailVerdict:
    """Go (both empty), stop for a reason, or wait until an instant."""

    stop: str | None = None
    again_at: datetime | None = None

    @property
    def may_go(self) -> bool:
        """Whether it may be handed over at this moment."""
        return self.stop is None and self.again_at is None


def judge_mail(facts: MailFacts, now: datetime) -> MailVerdict:
    """What becomes of a queued mail at `now`. The first reason to stop is told; what may pass by itself is waited for, ever longer."""
    state, waited = facts.grant_state, now - facts.queued_at
    stops = (
        (facts.is_suppressed, MailReason.SUPPRESSED.value),
        (not facts.is_installed, MailReason.SHOP_DISCONNECTED.value),
        (state in (GrantState.USED, GrantState.ENDED, GrantState.SUSPENDED), facts.grant_reason or state.value),
        (facts.offer_state in (OfferState.DEACTIVATED, OfferState.DELETED), MailReason.OFFER_OFF.value),
        (facts.hidden in _OVER, facts.hidden or ""),
        (waited >= PATIENCE, MailReason.TOO_LATE.value),
    )
    stop = next((reason for holds, reason in stops if holds), None)
    if stop is not None:
        return MailVerdict(stop=stop)
    if facts.hidden is None and facts.is_given and not facts.is_elsewhere:
        return MailVerdict()
    return MailVerdict(again_at=now + min(max(waited / 4, SHORTEST_PAUSE), LONGEST_PAUSE))
