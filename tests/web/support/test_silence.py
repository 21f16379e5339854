"""Topics that a store keeps silent about, on the store's page for support."""

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import StaffRole
from connector.store import topic_health
from connector.store.audit import SYSTEM
from connector.store.db import app_now
from connector.store.installs import note_webhooks
from connector.store.shops import get_shop
from connector.store.topic_health import Finding
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import shop_public_id
from tests.web.support.conftest import Opens, rows, seen


@pytest.fixture
def viewer(staff: Opens) -> TestClient:
    return staff(StaffRole.VIEWER)


def page_of(client: TestClient, parts: Composition, shop: TestShop, language: str = "en") -> str:
    answer = client.get(f"/support/shops/{shop_public_id(parts, shop)}", headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.text


def find_silent(parts: Composition, shop: TestShop, *bridged: str) -> None:
    """Two topics are silent, one is heard; some of them are subscribed for the shop alone."""
    with parts.db.transaction(shop=shop.id) as session:
        now = app_now(session)
        findings = [Finding(topic, now, None, topic != "orders/paid") for topic in ("orders/paid", "orders/create", "checkouts/update")]
        topic_health.note_findings(session, shop.id, findings)
        topic_health.note_fallbacks(session, shop.id, bridged)


def test_a_store_that_is_heard_says_nothing_of_it(viewer: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    find_silent(parts, shopify_shop)
    assert "Topics that are not heard" in page_of(viewer, parts, shopify_shop)
    with parts.db.engine.begin() as connection:
        connection.exec_driver_sql("update topic_health set silent_since = null")
    assert "Topics that are not heard" not in page_of(viewer, parts, shopify_shop)


def test_each_silent_topic_is_named_with_what_was_done_about_it(viewer: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    find_silent(parts, shopify_shop, "checkouts/update")
    page = page_of(viewer, parts, shopify_shop)
    table = [row for row in rows(page) if "subscribed" in row]
    assert [(row.split()[0], "not subscribed" in row) for row in table] == [("checkouts/update", False), ("orders/create", True)]
    assert "subscribed for this store alone" in table[0]
    assert "orders/paid" not in " ".join(table)
    assert f'href="/support/shops/{shop_public_id(parts, shopify_shop)}/deliveries?topic=orders/create"' in page
    assert "Sujets dont rien n’arrive" in page_of(viewer, parts, shopify_shop, "fr")


def test_why_a_topic_was_refused_stands_with_the_webhooks(viewer: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    words = "Shopify has not approved this app for protected customer data"
    with parts.db.transaction(shop=shopify_shop.id) as session:
        note_webhooks(session, get_shop(session, shopify_shop.id), actor=SYSTEM, is_ready=False, words=words)
    assert f"Registered by the app’s configuration in Shopify failed {words}" in seen(page_of(viewer, parts, shopify_shop))
