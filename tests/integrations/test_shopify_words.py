"""What Shopify says of a failure is kept and shown to support: nothing of people and no secret stays in it."""

import msgspec
import pytest

from connector.platforms import PlatformError
from integrations.shopify.answers import GraphError, check_status, failure
from integrations.transport import Answer

TOLD = "No customer anna.petit@example.org for the token shpat_0a1b2c3d4e here"
KEPT = "No customer … for the token … here"


def test_an_error_in_an_answer_names_nobody() -> None:
    assert KEPT in str(failure([GraphError(TOLD)], "orders", 200))


def test_an_answer_that_is_an_error_names_nobody() -> None:
    with pytest.raises(PlatformError) as caught:
        check_status(Answer(403, {"content-type": "application/json"}, msgspec.json.encode({"errors": TOLD})), "orders")
    assert KEPT in str(caught.value)
