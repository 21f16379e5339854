"""What support sees of privacy requests: kinds and dates, never the person."""

from datetime import UTC, datetime, timedelta

import pytest

from connector.canonical import DataRequested, Person, PersonRedacted
from connector.rules.permissions import StaffRole
from connector.store import privacy
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import shop_public_id
from tests.web.support.conftest import Opens

EMAIL = "anna.petit@example.org"


@pytest.fixture
def requests(parts: Composition, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    """Two open requests of one shop, one of them overdue, and one that is done."""
    old, fresh = datetime.now(UTC) - timedelta(days=40), datetime.now(UTC)
    vault = parts.services.vault
    with parts.db.system_transaction("requests for a test") as session:
        privacy.keep_request(session, vault, shopify_shop.id, DataRequested(Person(email=EMAIL), fresh, "1"))
        privacy.keep_request(session, vault, shopify_shop.id, PersonRedacted(Person(email=EMAIL, customer_id="4711"), old))
        done = privacy.keep_request(session, vault, woo_shop.id, DataRequested(Person(email=EMAIL), fresh, "2"))
        assert done is not None
        privacy.mark_done(session, privacy.find_request(session, done.public_id).id or 0)


def test_what_is_open_anywhere_is_listed_the_overdue_first(staff: Opens, requests: None) -> None:
    page = staff(StaffRole.VIEWER).get("/support/privacy").text
    assert "1 request is overdue." in page
    assert page.index("Erase a shopper") < page.index("A shopper asks for their data")
    assert page.count("prq_") == 2
    assert EMAIL not in page
    assert "4711" not in page


def test_the_requests_of_a_shop_are_listed_with_those_that_are_done(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, requests: None
) -> None:
    client = staff(StaffRole.VIEWER)
    page = client.get(f"/support/shops/{shop_public_id(parts, shopify_shop)}/privacy").text
    assert page.count("prq_") == 2
    assert EMAIL not in page
    other = client.get(f"/support/shops/{shop_public_id(parts, woo_shop)}/privacy").text
    assert ">settled<" in other
    assert "overdue" not in other


def test_the_page_of_a_shop_leads_to_its_requests(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    shop = shop_public_id(parts, shopify_shop)
    assert f'href="/support/shops/{shop}/privacy"' in staff().get(f"/support/shops/{shop}").text


def test_without_requests_the_page_says_so(staff: Opens) -> None:
    assert "Nobody asked for anything." in staff().get("/support/privacy").text


def test_the_figures_for_the_operator_tell_how_much_is_open_and_overdue(staff: Opens, requests: None) -> None:
    lines = staff().get("/metrics").text.splitlines()
    assert 'connector_privacy_requests{state="open"} 2' in lines
    assert 'connector_privacy_requests{state="overdue"} 1' in lines
