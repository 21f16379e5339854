"""A new code in the place of one that ends, or ended, by one click: the same terms under a new name (NH-18)."""

import re
import secrets

from connector.codes import CodeKind
from connector.errors import Refused
from connector.rules.code_pool import spell
from connector.rules.offer_terms import MOST_CODE, Terms
from connector.rules.offers import CodeMode, OfferState, Suspension
from connector.store import codes, offers
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk
from connector.web.language import N_
from connector.web.merchant.offer_codes import check_free

NO_RENEWAL = N_("A code like this one cannot be made anew. Edit the offer, and give it another code.")
NUMBERS = range(2, 7)
RANDOM_SIGNS = 6

_NUMBERED = re.compile(r"-\d+$")


def can_renew(seen: OfferView) -> bool:
    """Whether the offer's code ends soon, or was the reason why it stopped, and is one that we can make again."""
    if seen.state not in (OfferState.ACTIVE, OfferState.SUSPENDED) or is_under_way(seen) or not _is_ours_to_make(seen):
        return False
    reason = seen.problem.reason.value if seen.problem else seen.offer.reason
    is_stopped = reason is not None and reason not in (Suspension.REQUIREMENTS.value, Suspension.CODE_NOT_STARTED.value)
    return is_stopped or seen.stops_at is not None


def is_under_way(seen: OfferView) -> bool:
    """Whether another code is on its way, or there and the offer not active again yet: whoever clicks twice gets no second one."""
    is_good_since = seen.problem is None and seen.version.at > seen.offer.state_at
    return seen.is_being_made or (seen.state is OfferState.SUSPENDED and is_good_since)


def renewed(ask: MemberAsk, shop: ShopRow, seen: OfferView) -> Terms:
    """The offer's terms with a new code. Asks the store, with nothing held. Raises Refused."""
    if not can_renew(seen):
        raise Refused(NO_RENEWAL)
    code = "" if seen.version.mode == CodeMode.UNIQUE.value else _free_name(ask, shop, seen.version.code or "")
    return offers.replacement(seen, code, seen.now)


def _is_ours_to_make(seen: OfferView) -> bool:
    version = seen.version
    if version.kind is None or version.kind == CodeKind.OTHER.value:
        return False
    return version.ends_at is not None if version.mode == CodeMode.UNIQUE.value else version.code is not None


def _free_name(ask: MemberAsk, shop: ShopRow, code: str) -> str:
    """`MERCI-2` after `MERCI`; where the first numbers are taken, some random signs."""
    base = _NUMBERED.sub("", code)[: MOST_CODE - RANDOM_SIGNS - 1]
    names = [f"{base}-{number}" for number in NUMBERS]
    with ask.transaction() as session:
        assert shop.id is not None
        unknown = [name for name in names if codes.find(session, shop.id, name) is None]
    for name in unknown:
        try:
            check_free(ask, shop, name)
        except Refused:
            continue
        return name
    return f"{base}-{spell(secrets.randbits(65))[:RANDOM_SIGNS]}"
