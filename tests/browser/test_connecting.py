"""Pasting the keys of a WooCommerce store, in a real browser."""

import httpx2
import pytest
from playwright.sync_api import Page, expect

from connector.web.composition import Composition
from integrations.transport import Transport
from integrations.woocommerce.install import WooKeyInstall
from tests.browser.conftest import Opens
from tests.browser.kit import assert_looks_right
from tests.integrations.woo_installs import KEY, READ_ONLY, SECRET, WRITE, Store
from tests.web.conftest import scalar
from tests.web.posting import PostingPlatform


@pytest.fixture
def store(parts: Composition, woocommerce: PostingPlatform) -> Store:
    """A store whose keys can be pasted."""
    made = Store()
    production = parts.settings.model_copy(update={"sandbox": False})
    woocommerce.key_install = WooKeyInstall(Transport(inner=httpx2.MockTransport(made)), production)
    return made


def paste(page: Page) -> None:
    """Open the second way, fill it in and send it."""
    page.locator("summary").click()
    page.locator("#keys-store").fill("https://galets.example")
    page.locator("input[name=key]").fill(KEY)
    page.locator("input[name=secret]").fill(SECRET)
    page.locator("details form button").click()


def test_how_refused_keys_look(visitor_page: Opens, store: Store) -> None:
    store.failing[WRITE] = httpx2.Response(401, json=READ_ONLY)

    def refused(page: Page) -> None:
        paste(page)
        expect(page.locator("details[open] .note")).to_be_visible()
        expect(page.locator("input[name=key]")).to_have_value("")
        expect(page.locator("input[name=secret]")).to_have_value("")
        expect(page.locator("#keys-store")).to_have_value("https://galets.example")
        assert not any(word in page.content() for word in (KEY, SECRET))

    assert_looks_right(visitor_page, "/connect/woocommerce", "keys-refused", prepare=refused)


def test_keys_that_work_lead_to_the_shops_page(visitor_page: Opens, store: Store, parts: Composition) -> None:
    page = visitor_page()
    page.goto("/connect/woocommerce")
    paste(page)
    expect(page.get_by_role("heading", name="Galets & Cie").first).to_be_visible()
    assert f"/app/shops/{scalar(parts, 'select public_id from shops')}" in page.url
