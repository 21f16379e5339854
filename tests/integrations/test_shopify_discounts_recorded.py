"""Discount codes against recorded answers; the directory comes from the environment, because the recordings are not ours to ship."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from connector.codes import CodeKind, CodeStatus, DiscountCode
from connector.platforms import Access, CodeTaken
from integrations.shopify.client import Client
from integrations.shopify.discounts import ShopifyCodes
from integrations.transport import Transport
from tests.integrations.sandbox_app import recorded

ACCESS = Access(7, "atelier-brume.myshopify.com", {"access_token": "shpat_made_up"})
THANKS = DiscountCode("THANKS-7Q2K", CodeKind.PERCENTAGE, Decimal(10), once_per_customer=True)


def answering(told: Sequence[object]) -> ShopifyCodes:
    """A shop that answers so, in this order."""
    answers = iter(told)
    client = Client(Transport(inner=httpx2.MockTransport(lambda request: httpx2.Response(200, json=next(answers)))))
    return ShopifyCodes(client, lambda seconds: None)


def codes(*names: str) -> ShopifyCodes:
    """A shop that answers as recorded."""
    return answering([recorded(f"shopify/graphql.{name}.json") for name in names])


def test_a_code_that_is_found_is_read_to_the_last_term() -> None:
    state = codes("discount_by_code.found").read_code(ACCESS, "thanks-7q2k")
    assert state is not None
    assert (state.platform_id, state.code, state.kind, state.value) == ("1057856653", "THANKS-7Q2K", CodeKind.PERCENTAGE, Decimal("10.0"))
    assert (state.status, state.once_per_customer, state.used, state.codes) == (CodeStatus.ACTIVE, True, 0, 1)
    assert state.source_version == datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    assert state.restrictions == ()


def test_a_code_that_is_missing_is_free() -> None:
    assert codes("discount_by_code.missing").read_code(ACCESS, "NO-SUCH") is None


def test_a_code_is_made_if_it_is_free() -> None:
    made = codes("discount_by_code.missing", "create_basic_code.ok").issue_code(ACCESS, THANKS)
    assert (made.platform_id, made.code, made.title) == ("1057856653", "THANKS-7Q2K", "Thank you 10%")


def test_a_code_that_somebody_took_meanwhile_is_ours_if_it_is_the_same_discount() -> None:
    names = ("discount_by_code.missing", "create_basic_code.taken", "discount_by_code.found")
    assert codes(*names).issue_code(ACCESS, THANKS).platform_id == "1057856653"
    other = DiscountCode("THANKS-7Q2K", CodeKind.PERCENTAGE, Decimal(15), once_per_customer=True)
    with pytest.raises(CodeTaken):
        codes(*names).issue_code(ACCESS, other)


def test_of_codes_added_in_bulk_each_has_its_end() -> None:
    names = ("add_redeem_codes.doc", "redeem_code_bulk_creation.done", "redeem_code_bulk_creation.done")
    told: list[Any] = [recorded(f"shopify/graphql.{name}.json") for name in names]
    told.append({"data": {f"c{place}": {"id": "gid://shopify/DiscountCodeNode/9"} for place in range(25)}})
    result = answering(told).issue_codes(ACCESS, "2429471", ["DISCOUNT_1", "DISCOUNT_2", "DISCOUNT_3"])
    assert result.issued == ("DISCOUNT_1", "DISCOUNT_2")
    assert result.refused == {"DISCOUNT_3": "TAKEN"}
