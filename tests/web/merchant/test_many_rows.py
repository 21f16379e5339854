"""The benchmark of pages: it fills what it says, and what it reads are pages; and its bound can be missed."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from connector.web.composition import Composition
from tests.bench import pages
from tests.conftest import TestShop
from tests.web.conftest import scalar
from tests.web.merchant.test_dashboard import stats
from tests.web.signing import sign_in

ROWS = 40


@pytest.fixture
def ground(database_url: str, shopify_shop: TestShop, woo_shop: TestShop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two shops and the owner's connection, as the benchmark has them."""
    monkeypatch.setattr(pages, "ROWS", ROWS)
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield SimpleNamespace(shop_ids=(shopify_shop.id, woo_shop.id), connection=connection)


def test_what_the_benchmark_reads_are_full_pages(ground: Any, client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    pages.fill(ground)
    sign_in(client, parts, shopify_shop)
    sizes = {}
    for name, path in pages.pages_of(ground).items():
        answer = client.get(path)
        assert answer.status_code == 200, name
        sizes[name] = len(answer.text)
    assert sizes["the list"] > 3 * sizes[pages.EMPTY]
    assert scalar(parts, "select count(*) from checkouts") == ROWS
    assert stats(client.get("/app?days=90").text)[0].startswith("Abandoned checkouts 30 ")
    assert scalar(parts, "select count(*) from messages where handed_over_at is not null") > 0


def test_a_page_that_is_late_is_missed_and_stands_beside_the_empty_one() -> None:
    times = {"the list": [100.0] * 19 + [250.0] * 2, pages.EMPTY: [10.0] * 20}
    found = pages.to_findings(times)
    assert [(check.text, check.holds) for check in found.checks] == [("250.0 ms p95 the list (at most 200)", False)]
    assert found.figures[0].ratio_to == {pages.EMPTY: 25.0}
    assert pages.to_findings({**times, "the list": [100.0] * 20}).checks[0].holds
