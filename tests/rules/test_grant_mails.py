"""Whether the e-mail of a grant may leave now, must wait, or never will."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.rules.grant_mails import LONGEST_PAUSE, PATIENCE, SHORTEST_PAUSE, MailFacts, judge_mail
from connector.rules.grants import GrantState
from connector.rules.offers import OfferState

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
FACTS = MailFacts(
    grant_state=GrantState.LIVE,
    grant_reason=None,
    hidden=None,
    offer_state=OfferState.ACTIVE,
    is_given=True,
    queued_at=NOW - timedelta(seconds=5),
)


def test_the_mail_of_a_live_grant_whose_offer_is_given_goes() -> None:
    assert judge_mail(FACTS, NOW).may_go


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_suppressed": True}, "suppressed"),
        ({"is_installed": False}, "shop_disconnected"),
        ({"grant_state": GrantState.USED}, "used"),
        ({"grant_state": GrantState.ENDED, "grant_reason": "code_deleted"}, "code_deleted"),
        ({"grant_state": GrantState.SUSPENDED, "grant_reason": "order_refunded"}, "order_refunded"),
        ({"offer_state": OfferState.DEACTIVATED, "is_given": False}, "offer_off"),
        ({"offer_state": OfferState.DELETED, "is_given": False}, "offer_off"),
        ({"hidden": "expired"}, "expired"),
        ({"hidden": "missing", "is_given": False}, "missing"),
        ({"hidden": "used_up"}, "used_up"),
        ({"queued_at": NOW - PATIENCE}, "too_late"),
        ({"queued_at": NOW - PATIENCE, "is_given": False}, "too_late"),
    ],
)
def test_what_is_over_or_unwanted_never_goes_and_says_why(changes: dict[str, Any], reason: str) -> None:
    verdict = judge_mail(replace(FACTS, **changes), NOW)
    assert (verdict.stop, verdict.again_at, verdict.may_go) == (reason, None, False)


def test_that_somebody_wants_nothing_more_is_told_before_all_else() -> None:
    facts = replace(FACTS, is_suppressed=True, is_installed=False, grant_state=GrantState.USED)
    assert judge_mail(facts, NOW).stop == "suppressed"


@pytest.mark.parametrize(
    "changes",
    [
        {"is_given": False, "offer_state": OfferState.SUSPENDED},
        {"is_given": False},
        {"is_elsewhere": True},
        {"hidden": "preparing", "grant_state": GrantState.PREPARING},
        {"hidden": "scheduled"},
        {"hidden": "restricted_to_products"},
        {"hidden": "offer_off"},
    ],
)
@pytest.mark.parametrize(
    ("waited", "pause"),
    [
        (timedelta(0), SHORTEST_PAUSE),
        (timedelta(minutes=4), SHORTEST_PAUSE),
        (timedelta(minutes=40), timedelta(minutes=10)),
        (timedelta(hours=4), LONGEST_PAUSE),
        (PATIENCE - timedelta(seconds=1), LONGEST_PAUSE),
    ],
)
def test_what_may_pass_by_itself_is_waited_for_ever_longer(changes: dict[str, Any], waited: timedelta, pause: timedelta) -> None:
    verdict = judge_mail(replace(FACTS, queued_at=NOW - waited, **changes), NOW)
    assert (verdict.stop, verdict.again_at, verdict.may_go) == (None, NOW + pause, False)
