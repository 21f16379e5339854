"""Every answer that Shopify gives where something is wrong, over the connection pool: what it means, and what becomes of its points."""

import json
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
import respx
from structlog.testing import capture_logs

from connector.platforms import (
    Access,
    AccessLost,
    Gone,
    NotPermitted,
    PlatformError,
    Rejected,
    ShopClosed,
    ThrottledError,
    TransientError,
)
from integrations.shopify.answers import TooDear, UserErrors
from integrations.shopify.budget import LocalBudget
from integrations.shopify.client import PATIENCE, Client
from integrations.shopify.nodes import Node
from integrations.transport import Transport
from tests.integrations.bridge import respx2

__all__ = ["respx2"]

ENDPOINT = "https://atelier-brume.myshopify.com/admin/api/2026-10/graphql.json"
ACCESS = Access(7, "atelier-brume.myshopify.com", {"access_token": "shpat_made_up"})
RECORDED = Path(os.environ.get("RECORDED_DIR", "unset")) / "shopify"
FILES = sorted(RECORDED.glob("http.*")) + sorted(RECORDED.glob("graphql.error.*"))
MEANT: dict[str, type[PlatformError]] = {
    "graphql.error.throttled.json": ThrottledError,
    "graphql.error.max_cost.json": TooDear,
    "http.401_invalid_token.json": AccessLost,
    "http.403_missing_scope.json": NotPermitted,
    "http.403_non_expiring_token.json": AccessLost,
}
PAGE = "<!DOCTYPE html><html><title>520: Web server is returning an unknown error</title></html>"
COST = {
    "requestedQueryCost": 100,
    "actualQueryCost": 40,
    "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 1960, "restoreRate": 100},
}


class Told:
    """A budget that says how long to wait and remembers what it is told."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait
        self.held = 0.0
        self.heard: list[tuple[float, float, float]] = []
        self.keys: set[str] = set()

    def reserve(self, key: str, points: float) -> float:
        """That long."""
        self.keys.add(key)
        self.held += points
        return self.wait

    def give_back(self, key: str, points: float) -> None:
        """Noted."""
        self.keys.add(key)
        self.held -= points

    def learn(self, key: str, available: float, maximum: float, per_second: float) -> None:
        """Noted."""
        self.keys.add(key)
        self.heard.append((available, maximum, per_second))


class Shop(Node):
    """The shape of the question."""

    shop: dict[str, str]


class Made(Node):
    """The payload of the mutation."""

    node: dict[str, str] | None


class Asker:
    """A client with what it was told and how long it slept."""

    def __init__(self, wait: float = 0.0) -> None:
        self.slept: list[float] = []
        self.budget = Told(wait)
        self.transport = Transport()
        self.client = Client(self.transport, self.budget, self.slept.append)

    def query(self, **options: float) -> Any:
        """Ask something."""
        return self.client.query(ACCESS, "shop", "query Shop { shop { name } }", {}, Shop, **options)

    def mutate(self) -> Any:
        """Have something made."""
        return self.client.mutate(ACCESS, "make", "mutation Make { make { node { id } userErrors { field code } } }", {}, Made, "make")


@pytest.fixture
def asker() -> Any:
    """Of its own."""
    made = Asker()
    yield made
    made.transport.close()


def test_every_recorded_failure_has_its_meaning() -> None:
    if not FILES:
        pytest.skip("RECORDED_DIR is not set")
    assert {file.name for file in FILES} == MEANT.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_recorded_failure_is_what_it_means(file: Path, asker: Asker, respx2: respx.MockRouter) -> None:
    recorded = json.loads(file.read_bytes())
    status, body = (recorded["status"], recorded["json"]) if "status" in recorded else (200, recorded)
    route = respx2.post(ENDPOINT).respond(status, json=body)
    with pytest.raises(MEANT[file.name]) as caught:
        asker.query()
    assert type(caught.value) is MEANT[file.name]
    assert (caught.value.status, caught.value.call, route.call_count) == (status, "shop", 1)
    assert "shpat" not in str(caught.value)
    # Nothing was used up, so nothing stays set aside.
    assert asker.budget.held == 0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"errors": "Bad Request"}, Rejected),
        (401, {"errors": "[API] Invalid API key or access token"}, AccessLost),
        (402, {"errors": "Unavailable Shop"}, ShopClosed),
        (403, {"errors": "This action requires merchant approval for read_orders scope."}, NotPermitted),
        (404, {"errors": "Not Found"}, Gone),
        (423, {"errors": "This shop is unavailable"}, ShopClosed),
        (500, {"errors": "Internal Server Error"}, TransientError),
        (502, None, TransientError),
        (503, None, TransientError),
        (504, None, TransientError),
        (301, None, TransientError),
    ],
)
def test_each_status_is_in_its_class_and_costs_no_points(
    asker: Asker, respx2: respx.MockRouter, status: int, body: object, kind: type[PlatformError]
) -> None:
    respx2.post(ENDPOINT).respond(status, json=body)
    with pytest.raises(kind) as caught:
        asker.query()
    assert (type(caught.value), caught.value.status, asker.budget.held) == (kind, status, 0)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500, 520])
def test_a_page_in_place_of_an_answer_says_nothing_of_our_rights(asker: Asker, respx2: respx.MockRouter, status: int) -> None:
    respx2.post(ENDPOINT).respond(status, html=PAGE)
    with pytest.raises(TransientError) as caught:
        asker.query()
    assert type(caught.value) is TransientError


@pytest.mark.parametrize("status", [429, 430])
@pytest.mark.parametrize(("header", "seconds"), [("2.0", 2.0), ("17", 17.0), ("soon", 2.0), ("-3", 0.0)])
def test_a_throttle_by_status_says_how_long(asker: Asker, respx2: respx.MockRouter, status: int, header: str, seconds: float) -> None:
    respx2.post(ENDPOINT).respond(status, headers={"Retry-After": header}, json={"errors": "Exceeded"})
    with pytest.raises(ThrottledError) as caught:
        asker.query()
    assert (caught.value.retry_after, asker.budget.held) == (seconds, 0)


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "TIMEOUT"])
def test_what_failed_within_an_answer_is_not_withheld_from_us(asker: Asker, respx2: respx.MockRouter, code: str) -> None:
    errors = [{"message": "not approved", "path": ["shop"]}, {"message": "oh", "extensions": {"code": code}, "path": ["shop", "name"]}]
    respx2.post(ENDPOINT).respond(json={"data": {"shop": {}}, "errors": errors, "extensions": {"cost": COST}})
    with pytest.raises(TransientError, match="oh") as caught:
        asker.query()
    assert type(caught.value) is TransientError


class TestPoints:
    def test_what_a_call_did_not_use_is_given_back(self, asker: Asker, respx2: respx.MockRouter) -> None:
        respx2.post(ENDPOINT).respond(json={"data": {"shop": {"name": "Brume"}}, "extensions": {"cost": COST}})
        assert asker.query().data.shop == {"name": "Brume"}
        assert (asker.budget.held, asker.budget.heard) == (40, [(1960, 2000, 100)])
        assert asker.budget.keys == {"shopify:atelier-brume.myshopify.com"}

    def test_the_next_call_sets_aside_what_shopify_said(self, asker: Asker, respx2: respx.MockRouter) -> None:
        respx2.post(ENDPOINT).respond(json={"data": {"shop": {}}, "extensions": {"cost": COST}})
        asker.query()
        asker.budget.wait = 99
        asker.budget.give_back = lambda key, points: pytest.fail(f"{points}") if points != 100 else None  # type: ignore[method-assign]
        with pytest.raises(ThrottledError):
            asker.query()

    def test_a_wait_within_ones_patience_is_waited_for(self, respx2: respx.MockRouter) -> None:
        asker = Asker(wait=1.25)
        respx2.post(ENDPOINT).respond(json={"data": {"shop": {}}, "extensions": {"cost": COST}})
        asker.query()
        assert asker.slept == [1.25]
        asker.transport.close()

    def test_while_one_shops_call_waits_another_shops_goes_through(self) -> None:
        asked: list[str] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            asked.append(request.url.host)
            return httpx2.Response(200, json={"data": {"shop": {}}, "extensions": {"cost": COST}})

        def ask(domain: str) -> None:
            access = Access(7, domain, {"access_token": "shpat_made_up"})
            client.query(access, "shop", "query Shop { shop { name } }", {}, Shop)

        budget = LocalBudget(lambda: 0.0)
        client = Client(Transport(inner=httpx2.MockTransport(answer)), budget, lambda _: ask("boutique.myshopify.com"))
        budget.reserve("shopify:atelier-brume.myshopify.com", 1000)
        ask("atelier-brume.myshopify.com")
        assert asked == ["boutique.myshopify.com", "atelier-brume.myshopify.com"]

    @pytest.mark.parametrize(("wait", "patience"), [(PATIENCE + 0.1, None), (0.5, 0.25), (30.0, 20.0)])
    def test_a_longer_one_is_told_and_nothing_is_sent(self, respx2: respx.MockRouter, wait: float, patience: float | None) -> None:
        asker = Asker(wait)
        with pytest.raises(ThrottledError) as caught:
            asker.query(**({} if patience is None else {"patience": patience}))
        assert (caught.value.retry_after, asker.slept, asker.budget.held) == (wait, [], 0)
        assert respx2.calls.call_count == 0
        asker.transport.close()

    def test_a_refused_call_used_nothing_and_teaches_the_bucket(self, asker: Asker, respx2: respx.MockRouter) -> None:
        status = {"maximumAvailable": 1000, "currentlyAvailable": 66, "restoreRate": 50}
        cost = {"requestedQueryCost": 566, "actualQueryCost": None, "throttleStatus": status}
        respx2.post(ENDPOINT).respond(json={"errors": [{"extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}})
        with pytest.raises(ThrottledError) as caught:
            asker.query()
        assert (caught.value.retry_after, asker.budget.held, asker.budget.heard) == (10.0, 0, [(66, 1000, 50)])

    def test_without_any_answer_the_points_count_as_used(self) -> None:
        def cut(request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ReadTimeout("too late", request=request)

        budget = Told()
        with pytest.raises(TransientError):
            Client(Transport(inner=httpx2.MockTransport(cut)), budget).query(ACCESS, "shop", "query Shop { shop { name } }", {}, Shop)
        assert budget.held > 0

    def test_what_cannot_be_sent_uses_nothing(self, asker: Asker) -> None:
        access = Access(7, ACCESS.domain, {"access_token": "shpat\u2713"})
        with pytest.raises(Rejected):
            asker.client.query(access, "shop", "query Shop { shop { name } }", {}, Shop)
        assert asker.budget.held == 0

    def test_an_answer_that_tells_no_cost_keeps_no_points(self, asker: Asker, respx2: respx.MockRouter) -> None:
        respx2.post(ENDPOINT).respond(json={"data": {"shop": {}}})
        asker.query()
        assert asker.budget.held == 0

    def test_an_answer_that_cannot_be_read_keeps_none_either(self, asker: Asker, respx2: respx.MockRouter) -> None:
        respx2.post(ENDPOINT).respond(200, content=b'{"data": {"shop')
        with pytest.raises(TransientError):
            asker.query()
        assert asker.budget.held == 0

    def test_a_query_that_is_too_dear_is_our_own_fault_and_is_logged_as_such(self, asker: Asker, respx2: respx.MockRouter) -> None:
        errors = [{"message": "Query cost is 1002", "extensions": {"code": "MAX_COST_EXCEEDED", "cost": 1002, "maxCost": 1000}}]
        respx2.post(ENDPOINT).respond(json={"errors": errors})
        with capture_logs() as logs, pytest.raises(Rejected):
            asker.query()
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [("shopify.too_expensive", "error")]


class TestMutations:
    def answer(self, payload: object, **extra: object) -> dict[str, object]:
        """An answer to the mutation."""
        return {"data": {"make": payload}, **extra}

    def test_what_was_made_is_the_payload_under_its_root(self, asker: Asker, respx2: respx.MockRouter) -> None:
        respx2.post(ENDPOINT).respond(json=self.answer({"node": {"id": "1"}, "userErrors": []}))
        assert asker.mutate().node == {"id": "1"}

    @pytest.mark.parametrize(
        ("errors", "codes", "fields", "words"),
        [
            (
                [{"field": ["sub", "uri"], "code": "TAKEN", "message": "Code must be\n unique"}],
                ("TAKEN",),
                ("sub.uri",),
                "Code must be unique",
            ),
            ([{"field": None, "code": None, "message": "No"}], (), (), "No"),
            ([{"message": "No"}, {"message": "No"}], (), (), "No"),
            ([{}], (), (), "refused without a reason"),
            ([{"code": "A", "message": "one"}, {"code": "B", "message": "two"}], ("A", "B"), (), "one; two"),
        ],
    )
    def test_a_refusal_says_why_as_far_as_shopify_does(
        self, asker: Asker, respx2: respx.MockRouter, errors: object, codes: object, fields: object, words: str
    ) -> None:
        respx2.post(ENDPOINT).respond(json=self.answer({"node": None, "userErrors": errors}))
        with pytest.raises(UserErrors) as caught:
            asker.mutate()
        assert (caught.value.codes, caught.value.fields, str(caught.value)) == (codes, fields, words)
        assert isinstance(caught.value, Rejected)

    def test_a_refusal_counts_though_the_rest_of_the_payload_is_odd(self, asker: Asker, respx2: respx.MockRouter) -> None:
        respx2.post(ENDPOINT).respond(json=self.answer({"userErrors": [{"code": "TAKEN"}]}))
        with pytest.raises(UserErrors):
            asker.mutate()

    @pytest.mark.parametrize("payload", [None, {}, [], {"node": {"id": "1"}}, {"userErrors": []}, {"node": 5, "userErrors": []}])
    def test_no_payload_is_no_success(self, asker: Asker, respx2: respx.MockRouter, payload: object) -> None:
        respx2.post(ENDPOINT).respond(json=self.answer(payload))
        with pytest.raises(TransientError):
            asker.mutate()

    def test_nor_is_the_payload_of_another_mutation(self, asker: Asker, respx2: respx.MockRouter) -> None:
        respx2.post(ENDPOINT).respond(json={"data": {"other": {"node": {}, "userErrors": []}}})
        with pytest.raises(TransientError):
            asker.mutate()

    @pytest.mark.parametrize(("code", "kind"), [("ACCESS_DENIED", NotPermitted), ("INTERNAL_SERVER_ERROR", TransientError)])
    def test_without_payload_the_errors_decide(self, asker: Asker, respx2: respx.MockRouter, code: str, kind: type[PlatformError]) -> None:
        errors = [{"message": "no", "extensions": {"code": code}, "path": ["make"]}]
        respx2.post(ENDPOINT).respond(json=self.answer(None, errors=errors))
        with pytest.raises(kind) as caught:
            asker.mutate()
        assert type(caught.value) is kind

    def test_what_is_withheld_from_a_success_is_logged(self, asker: Asker, respx2: respx.MockRouter) -> None:
        errors = [{"message": "not approved", "path": ["make", "node", "customer"]}]
        respx2.post(ENDPOINT).respond(json=self.answer({"node": {"id": "1"}, "userErrors": []}, errors=errors))
        with capture_logs() as logs:
            asker.mutate()
        assert logs[0]["gaps"] == ("make.node.customer",)
