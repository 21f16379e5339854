"""What the one HTTP client counts of its calls."""

import httpx2
import pytest

from connector.metrics import Metrics
from connector.platforms import Access, ThrottledError, TransientError
from integrations.shopify.client import Client
from integrations.transport import Transport

ACCESS = Access(1, "demo.myshopify.com", {"access_token": "shpat_of_this_test"})


def counted(*answers: httpx2.Response | Exception) -> tuple[Metrics, Transport]:
    """A client whose calls end like this, in turn."""
    left = list(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    metrics = Metrics()
    return metrics, Transport(inner=httpx2.MockTransport(answer), metrics=metrics)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "ok"),
        (204, "ok"),
        (302, "failed"),
        (401, "refused"),
        (404, "refused"),
        (429, "throttled"),
        (430, "throttled"),
        (503, "failed"),
    ],
)
def test_each_call_is_counted_by_how_it_ended(status: int, outcome: str) -> None:
    metrics, transport = counted(httpx2.Response(status, headers={"retry-after": "2.5"}))
    transport.send("shopify", "read_products", "GET", "https://demo.myshopify.com/")
    assert metrics.calls.values() == {("shopify", "read_products", outcome): 1}
    throttles = {("shopify", "read_products"): 1} if outcome == "throttled" else {}
    assert metrics.throttles.values() == throttles
    assert metrics.throttle_seconds.value("shopify") == (2.5 if throttles else 0)
    transport.close()


def test_a_call_without_an_answer_is_counted_too() -> None:
    metrics, transport = counted(httpx2.ConnectError("no route"))
    with pytest.raises(TransientError):
        transport.send("woocommerce", "read_orders", "GET", "https://shop.example/")
    assert metrics.calls.values() == {("woocommerce", "read_orders", "no_answer"): 1}
    [seconds] = [value for end, _, value in metrics.call_seconds.family().samples if end == "_count"]
    assert seconds == 1
    transport.close()


def test_a_throttle_in_the_body_of_a_good_answer_counts_as_one() -> None:
    body = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
    metrics, transport = counted(httpx2.Response(200, json=body))
    with pytest.raises(ThrottledError) as caught:
        Client(transport).query(ACCESS, "read_products", "{ shop { name } }", {}, dict)
    assert metrics.throttles.values() == {("shopify", "read_products"): 1}
    assert metrics.throttle_seconds.value("shopify") == caught.value.retry_after
    transport.close()
