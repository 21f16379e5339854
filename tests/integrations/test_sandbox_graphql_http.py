"""The pretend Shopify's GraphQL endpoint and bulk files over HTTP."""

from collections.abc import Iterator

import pytest

from integrations.sandbox.faults import Kind
from integrations.sandbox.shopify_cost import Bucket
from tests.integrations.sandbox_app import Clock, PlayedApp, played, reset_shopify

ENDPOINT = "https://demo.myshopify.com/admin/api/2026-10/graphql.json"
RUN = 'mutation { bulkOperationRunQuery(query: "{ products { edges { node { id } } } }") { bulkOperation { id } userErrors { code } } }'
LOOK = "query L($id: ID!) { bulkOperation(id: $id) { status url objectCount } }"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("graphql"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> PlayedApp:
    reset_shopify(running, clock)
    running.world.shopify.shop.bucket = Bucket()
    return running


@pytest.mark.parametrize("content", [b"[", b"[]", b'"x"', b"{}", b'{"query": 7}', b'{"query": "{ shop { id } }", "variables": []}'])
def test_a_request_without_a_query_is_refused(app: PlayedApp, content: bytes) -> None:
    headers = {"x-shopify-access-token": app.token["access_token"]}
    answer = app.client.send("shopify", "test", "POST", ENDPOINT, headers=headers, content=content)
    assert answer.status == 400
    assert b"Required parameter missing or invalid" in answer.body


def test_every_answer_names_the_version_and_the_points_left(app: PlayedApp) -> None:
    headers = {"x-shopify-access-token": app.token["access_token"]}
    for version in ("2026-10", "2025-01"):
        answer = app.client.send(
            "shopify", "test", "POST", ENDPOINT.replace("2026-10", version), headers=headers, json={"query": "{ shop { name } }"}
        )
        assert (answer.status, answer.headers["x-shopify-api-version"]) == (200, "2026-10")
        assert b'"restoreRate":100.0' in answer.body or b'"restoreRate":100' in answer.body


def test_a_throttled_call_is_answered_with_200(app: PlayedApp) -> None:
    bucket = app.world.shopify.shop.bucket = Bucket(100, 0.001)
    bucket.drain()
    status, body = app.graphql("{ shop { primaryDomain { url } } }")
    assert (status, body["errors"][0]["extensions"]["code"]) == (200, "THROTTLED")
    assert (bucket.calls, bucket.throttled, bucket.spent) == (1, 1, 0)


def test_the_file_of_a_bulk_operation_needs_its_signature_and_no_token(app: PlayedApp) -> None:
    jobs = app.world.shopify.shop.bulk
    key = app.graphql(RUN)[1]["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
    app.graphql(LOOK, {"id": key})
    done = app.graphql(LOOK, {"id": key})[1]["data"]["bulkOperation"]
    assert (done["status"], done["objectCount"]) == ("COMPLETED", "4")
    answer = app.client.send("shopify", "test", "GET", done["url"])
    assert (answer.status, answer.body.count(b"\n"), jobs.tokens_seen) == (200, 4, 0)
    forged = app.client.send("shopify", "test", "GET", done["url"].partition("?")[0], headers={"x-shopify-access-token": "shpat_x"})
    assert (forged.status, jobs.tokens_seen) == (400, 1)
    assert forged.body.startswith(b"<?xml")
    assert app.client.send("shopify", "test", "GET", done["url"].replace(".jsonl", "x.jsonl")).status == 400


@pytest.mark.parametrize(("kind", "status"), [(Kind.THROTTLE, 429), (Kind.REFUSE, 403)])
def test_the_host_of_files_has_troubles_of_its_own(app: PlayedApp, kind: Kind, status: int) -> None:
    twin = app.world.shopify
    operation = twin.shop.bulk.run("", lambda: [{"id": "gid://shopify/Product/1"}])
    twin.shop.bulk.finish(operation.id)
    assert operation.url is not None
    twin.faults.spoil_next(kind)
    answer = app.client.send("shopify", "test", "GET", operation.url)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/xml")
    assert app.client.send("shopify", "test", "GET", operation.url).status == 200


@pytest.mark.parametrize(("status", "words"), [(402, "Unavailable Shop"), (404, "Not Found"), (423, "Unavailable Shop")])
def test_a_shop_that_is_closed_says_so_by_its_status(app: PlayedApp, status: int, words: str) -> None:
    app.world.shopify.faults.refuse_next(status=status)
    assert app.graphql("{ shop { name } }") == (status, {"errors": words})
    assert app.graphql("{ shop { name } }")[0] == 200
