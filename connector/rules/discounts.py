"""Whether a discount code is good for everybody who may be given it, and if not, all the reasons."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from connector.codes import CodeKind, CodeState, CodeStatus, Restriction

FOR_EVERYBODY = frozenset({CodeKind.PERCENTAGE, CodeKind.FIXED_AMOUNT, CodeKind.FREE_SHIPPING})
"""The kinds that a shopper needs nothing special in the cart for."""


class Ineligible(StrEnum):
    """Why a code cannot be given to just anybody at this moment."""

    MISSING = "missing"
    EXPIRED = "expired"
    SCHEDULED = "scheduled"
    USED_UP = "used_up"
    WRONG_KIND = "wrong_kind"
    RESTRICTED_TO_CUSTOMERS = "restricted_to_customers"
    RESTRICTED_TO_SEGMENTS = "restricted_to_segments"
    RESTRICTED_TO_MARKETS = "restricted_to_markets"
    RESTRICTED_TO_PRODUCTS = "restricted_to_products"
    RESTRICTED_TO_SUBSCRIPTIONS = "restricted_to_subscriptions"
    RESTRICTED_TO_QUANTITY = "restricted_to_quantity"
    RESTRICTED_TO_EMAILS = "restricted_to_emails"


_OF = {restriction: Ineligible(f"restricted_to_{restriction.value}") for restriction in Restriction}


def why_not(state: CodeState | None, now: datetime, *, kinds: Collection[CodeKind] = FOR_EVERYBODY) -> tuple[Ineligible, ...]:
    """
    All the reasons, in the order a merchant would mend them; none: the code is good. `state` None: the store has no such code.

    What was read some time ago is judged by `now`: a code whose end has come since is expired, one whose beginning has come is not
    scheduled any more. A deactivated code is expired whatever its dates. A limit counts uses as far as the store has counted them.
    """
    if state is None:
        return (Ineligible.MISSING,)
    is_expired = state.status is CodeStatus.EXPIRED or (state.ends_at is not None and state.ends_at <= now)
    is_early = state.starts_at > now if state.starts_at is not None else state.status is CodeStatus.SCHEDULED
    reasons = (
        (is_expired, Ineligible.EXPIRED),
        (is_early and not is_expired, Ineligible.SCHEDULED),
        (state.usage_limit is not None and state.used >= state.usage_limit, Ineligible.USED_UP),
        (state.kind not in kinds, Ineligible.WRONG_KIND),
    )
    found = [reason for holds, reason in reasons if holds]
    return (*found, *(_OF[restriction] for restriction in state.restrictions))
