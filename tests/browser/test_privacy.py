"""Privacy requests in a real browser: how the pages look, and an owner who answers one."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from connector.canonical import DataRequested, Person, PersonRedacted
from connector.store import privacy
from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import assert_look, assert_looks_right
from tests.conftest import TestShop
from tests.web.conftest import Seed, scalar


@pytest.fixture
def request_id(parts: Composition, seed: Seed, shopify_shop: TestShop) -> str:
    """An open data request of somebody who began a checkout, one that is overdue, and an erasure that is done."""
    seed(shopify_shop, email="anna.petit@example.org", first_name="Anna")
    now, vault, shop = datetime.now(UTC), parts.services.vault, shopify_shop.id
    with parts.db.system_transaction("requests for a test") as session:
        kept = privacy.keep_request(session, vault, shop, DataRequested(Person(email="anna.petit@example.org"), now, "1"))
        late = privacy.keep_request(session, vault, shop, DataRequested(Person(customer_id="5"), now - timedelta(days=40), "2"))
        done = privacy.keep_request(session, vault, shop, PersonRedacted(Person(customer_id="6"), now))
        assert kept is not None
        assert late is not None
        assert done is not None
        privacy.mark_done(session, privacy.find_request(session, done.public_id).id or 0)
    return kept.public_id


def test_how_the_list_of_requests_looks(member_page: Opens, request_id: str) -> None:
    assert_looks_right(member_page, "/app/privacy", "privacy")


def test_how_an_answer_looks(member_page: Opens, request_id: str) -> None:
    assert_looks_right(member_page, f"/app/privacy/{request_id}", "privacy-request")


def test_how_support_sees_requests(staff_page: Opens, request_id: str) -> None:
    assert_looks_right(staff_page, "/support/privacy", "support-privacy")


def test_an_owner_looks_takes_the_file_and_settles_the_request(member_page: Opens, parts: Composition, request_id: str) -> None:
    page = member_page()
    page.goto("/app/privacy")
    page.get_by_role("row", name="to do").get_by_role("link").click()
    expect(page.get_by_text("anna.petit@example.org").first).to_be_visible()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download as a file (JSON)").click()
    assert taken.value.suggested_filename == f"{request_id}.json"
    page.get_by_role("button", name="The shopper has it").click()
    expect(page.get_by_text("The request is settled.")).to_be_visible()
    assert_look(page, "privacy-settled")
    assert scalar(parts, "select state from privacy_requests where public_id = :id", id=request_id) == "done"
