"""Our codes on a real store's recorded answers about coupons (RECORDED_DIR); without them these tests are skipped."""

import json
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from connector.codes import CodeKind, CodeState, CodeStatus, DiscountCode, Restriction
from connector.platforms import Access, CodeTaken, Gone, Rejected
from connector.rules.discounts import Ineligible, why_not
from integrations.transport import Transport
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.coupons import CouponBody, WooCodes, coupon_now, to_code_state
from tests.integrations.coupon_ground import utc

RECORDED = Path(os.environ["RECORDED_DIR"]) / "woocommerce" if "RECORDED_DIR" in os.environ else None
pytestmark = pytest.mark.skipif(RECORDED is None, reason="RECORDED_DIR is not set")
ACCESS = Access(7, "galets.example", {"consumer_key": "ck_x", "consumer_secret": "cs_y"})
AT = datetime(2026, 11, 21, 21, 5, tzinfo=UTC)
RELANCE = DiscountCode(
    "Relance-7Q2X9",
    CodeKind.PERCENTAGE,
    Decimal(10),
    ends_at=utc(2026, 11, 28, 22, 59, 59),
    usage_limit=1,
    once_per_customer=True,
    email="aurelie.fontaine@example.net",
)


def recorded(number: str, folder: str = "rest") -> dict[str, Any]:
    """One exchange."""
    assert RECORDED is not None
    (path,) = (RECORDED / folder).glob(f"{number}-*.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def answer(number: str) -> httpx2.Response:
    """A recorded answer."""
    told = recorded(number)["response"]
    headers = {name: value for name, value in told["headers"] if name.lower().startswith("x-wp-")}
    return httpx2.Response(told["status"], json=told["json"], headers=headers)


def store(*numbers: str) -> tuple[Call, WooCodes, list[str]]:
    """A store that gives these answers one after the other ("[]": an empty list); what it was asked."""
    answers = [httpx2.Response(200, json=[]) if number == "[]" else answer(number) for number in numbers]
    asked: list[str] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.content.decode()}".strip())
        return answers.pop(0)

    transport = Transport(inner=httpx2.MockTransport(reply))
    return Call(transport, ACCESS), WooCodes(transport), asked


def state(number: str, now: datetime = AT) -> CodeState:
    """A recorded coupon in our words."""
    return to_code_state(msgspec.convert(recorded(number)["response"]["json"], CouponBody, strict=False), now)


def test_a_coupon_as_it_was_made() -> None:
    made = state("015")
    assert (made.platform_id, made.code, made.kind, made.value) == ("158", "relance-7q2x9", CodeKind.PERCENTAGE, Decimal(10))
    assert (made.ends_at, made.status, made.title) == (utc(2026, 11, 28, 22, 59, 59), CodeStatus.ACTIVE, "Relance panier")
    assert (made.usage_limit, made.once_per_customer, made.used, made.restrictions) == (1, True, 0, (Restriction.EMAILS,))
    assert (made.source_version, made.minimum_subtotal) == (utc(2026, 11, 21, 21, 3, 4), None)


def test_what_we_would_ask_for_is_proven_by_the_recorded_answer() -> None:
    _, codes, asked = store("[]", "015", "[]")
    made = codes.issue_code(ACCESS, RELANCE)
    assert made.platform_id == "158"
    sent, real = json.loads(asked[1].removeprefix("POST ")), json.loads(recorded("015")["request"]["body"])
    assert sent["date_expires"] == "2026-11-28T22:59:59Z"
    assert {name for name in real if sent.get(name) != real[name]} == {"code", "date_expires", "description"}


def test_ended_cleared_ignored_and_drafted() -> None:
    ended, ignored, cleared, drafted = (state(number) for number in ("016", "017", "018", "019"))
    assert (ended.status, ended.ends_at) == (CodeStatus.EXPIRED, utc(2026, 11, 19, 23))
    assert ignored == ended
    assert (cleared.status, cleared.ends_at) == (CodeStatus.ACTIVE, None)
    assert drafted.status is CodeStatus.EXPIRED
    # What ended it did not move the time of change; only the new status did.
    assert (ended.source_version, cleared.source_version) == (utc(2026, 11, 21, 21, 3, 4),) * 2
    assert drafted.source_version == utc(2026, 11, 21, 21, 3, 9)


def test_a_deletion_shows_the_coupon_as_it_was_and_the_bin_counts_as_gone() -> None:
    call, codes, asked = store("020", "021", "022", "023", "023")
    codes.delete_code(ACCESS, "158")
    assert coupon_now(call, "158") is None
    codes.delete_code(ACCESS, "158")
    assert coupon_now(call, "158") is None
    with pytest.raises(Gone):
        codes.suspend_code(ACCESS, "158")
    assert [one.partition(" ")[0] for one in asked] == ["DELETE", "GET", "DELETE", "GET", "GET"]


def test_a_used_up_coupon() -> None:
    used = state("024")
    assert (used.used, used.usage_limit, used.status) == (1, 1, CodeStatus.ACTIVE)
    assert why_not(used, AT) == (Ineligible.USED_UP,)
    assert "samir.haddad" not in repr(used)


def test_each_coupon_of_the_list_is_read() -> None:
    _, codes, _ = store("033")
    page = codes.find_codes(ACCESS, "")
    found = {one.code: one for one in page.records if isinstance(one, CodeState)}
    assert (len(found), page.cursor, page.unreadable) == (23, None, ())
    assert Counter(one.kind for one in found.values()) == {
        CodeKind.FIXED_AMOUNT: 14,
        CodeKind.PERCENTAGE: 6,
        CodeKind.OTHER: 2,
        CodeKind.FREE_SHIPPING: 1,
    }
    assert found["tshirt3"].kind is CodeKind.OTHER
    assert found["printemps"].kind is CodeKind.OTHER
    assert (found["livraison"].kind, found["livraison"].value) == (CodeKind.FREE_SHIPPING, None)
    assert (found["moins5"].minimum_subtotal, found["moins5"].used) == (Decimal(30), 3)
    assert found["été-2026"].value == Decimal("12.5")
    assert found["vip"].restrictions == (Restriction.EMAILS,)
    assert Restriction.PRODUCTS in found["bougies15"].restrictions


def test_by_code_letter_case_does_not_matter() -> None:
    _, codes, _ = store("034")
    found = codes.read_code(ACCESS, "BIENVENUE10")
    assert found is not None
    assert (found.code, found.used) == ("bienvenue10", 5)


def test_a_batch_has_its_refusals_beside_its_successes() -> None:
    call, _, asked = store("042")
    body = json.loads(recorded("042")["request"]["body"])
    told = client.batch(call, "coupons", **body)
    assert json.loads(asked[0].removeprefix("POST ")) == body
    assert [(one.id, one.error and one.error.code) for one, _ in told.create] == [
        (163, None),
        (0, "woocommerce_rest_coupon_code_already_exists"),
        (0, "woocommerce_rest_empty_coupon_code"),
    ]
    assert to_code_state(msgspec.json.decode(told.update[0][1], type=CouponBody), AT).value == Decimal(31)
    assert [one.error.code for one, _ in (*told.update[1:], *told.delete) if one.error] == ["woocommerce_rest_shop_coupon_invalid_id"] * 2


def test_a_duplicate_is_looked_for_again() -> None:
    wanted = DiscountCode("bienvenue10", CodeKind.PERCENTAGE, Decimal(10))
    _, codes, asked = store("[]", "055", "[]", "034")
    with pytest.raises(CodeTaken):
        codes.issue_code(ACCESS, wanted)
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("number", "words"),
    [("056", "rest_invalid_param: .*discount_type"), ("057", "coupon_invalid_amount"), ("058", "rest_missing_callback_param: .*code")],
)
def test_refusals_keep_the_stores_words(number: str, words: str) -> None:
    _, codes, _ = store("[]", number)
    with pytest.raises(Rejected, match=words):
        codes.issue_code(ACCESS, RELANCE)


def test_an_end_that_became_1970_is_not_taken_for_ours() -> None:
    assert state("059").ends_at == utc(1969, 12, 31, 23)
    deleted = "022"
    _, codes, asked = store("[]", "059", deleted)
    wanted = DiscountCode("date-folle", CodeKind.FIXED_AMOUNT, Decimal(5), ends_at=utc(2026, 12, 31, 12))
    with pytest.raises(Rejected, match="otherwise than asked: date_expires"):
        codes.issue_code(ACCESS, wanted)
    assert asked[-1] == "DELETE"
