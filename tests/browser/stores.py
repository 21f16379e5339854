"""The pretend Shopify around the live site: its admin, and what must hold for a page of ours in a frame there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Frame, FrameLocator, Page, expect
from pydantic import SecretStr

from connector.web.composition import Composition
from integrations.registry import make_platforms, make_transport
from integrations.sandbox.world import Sandbox
from tests.browser.axe import grave, violations
from tests.browser.conftest import Opens, Site
from tests.browser.kit import HEIGHT, LANGUAGES, SCHEMES, STATE, WIDTHS, befriend, faults_of, take_picture

APP = "/admin/apps/connector"


@dataclass(frozen=True, slots=True)
class Admin:
    """The shop's admin in a browser. `url` is where the pretend Shopify can be opened."""

    sandbox: Sandbox
    site: Site
    open_page: Opens
    axe: str
    url: str

    def page(self, language: str = "en", **options: Any) -> Page:
        """A new browser that may open both sites."""
        page = self.open_page(language=language, **options)
        befriend(page, self.url)
        return page

    def click_app(self, page: Page, language: str = "en", user: int | None = None) -> FrameLocator:
        """Open the app; what is inside its frame."""
        page.goto(f"{self.url}{APP}?locale={language}" + (f"&user={user}" if user else ""))
        return page.frame_locator("iframe")

    def install(self, page: Page, language: str = "en") -> FrameLocator:
        """Open the app for the first time and approve it."""
        inside = self.click_app(page, language)
        page.get_by_role("link", name="Install app").click()
        return inside


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The pretend stores, on the real clock."""
    with Sandbox(tmp_path / "tls", lambda: datetime.now(UTC)) as world:
        yield world


@pytest.fixture
def parts(make_parts: Callable[..., Composition], sandbox: Sandbox) -> Iterator[Composition]:
    """Our process against the pretend stores, on the real adapters."""
    led = {
        "address_map": sandbox.address_map,
        "browser_map": sandbox.browser_map,
        "extra_ca": sandbox.ca_pem,
        "shopify_client_id": sandbox.client_id,
        "shopify_client_secret": SecretStr(sandbox.client_secret),
    }
    settings = make_parts(**led).settings
    transport = make_transport(settings)
    yield make_parts(make_platforms(settings, transport), **led)
    transport.close()


@pytest.fixture
def admin(sandbox: Sandbox, site: Site, visitor_page: Opens, axe: str) -> Admin:
    """The shop's admin, in a browser of its own each time."""
    sandbox.connect_app(9, site.url)
    return Admin(sandbox, site, visitor_page, axe, sandbox.browser_map["https://demo.myshopify.com"])


def frame_of(page: Page) -> Frame:
    """Our page in the admin's frame."""
    return next(frame for frame in page.frames if "/embedded/" in frame.url)


def assert_frame_looks_right(admin: Admin, name: str, seen: str, prepare: Callable[[str], object] = lambda language: None) -> None:
    """
    All eight looks of our page in the admin, as `kit.assert_looks_right` has them for whole pages; pictures in var/screens.

    `seen`: a part that must be there. `prepare` gets the language before the page is opened.
    """
    for language in LANGUAGES:
        prepare(language)
        page = admin.page(language)
        inside = admin.click_app(page, language)
        expect(inside.locator(seen)).to_be_visible()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                check_frame(admin, page, f"{name}-{language}-{width}-{scheme}", language, scheme)
        page.context.close()


def check_frame(admin: Admin, page: Page, place: str, language: str, scheme: str) -> None:
    """Everything that must hold for our page in the frame as it stands; and its picture if wanted."""
    frame = frame_of(page)
    state = frame.evaluate(STATE)
    take_picture(page, place)
    found = [] if (state["language"], state["scheme"]) == (language, scheme) else [f"it is in {state['language']}, {state['scheme']}"]
    found += [f"it scrolls sideways: {one}" for one in state["wide"]]
    found += [f"axe: {one}" for one in grave(violations(cast(Page, frame), admin.axe))]
    found += faults_of(page)
    assert not found, f"{place}: " + "; ".join(found)
