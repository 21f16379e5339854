"""The pages in a real browser: a live site on loopback, one Chromium, and pages of whoever is signed in."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from connector.rules.permissions import Role, StaffRole
from connector.store import members, passwords, sessions, staff
from connector.web import cookies, language
from connector.web.app import make_pages
from connector.web.composition import Composition
from tests.browser.axe import axe_source
from tests.browser.chromium import Driver, drive
from tests.browser.kit import HEIGHT, Opens, watch
from tests.conftest import TestShop
from tests.web.conftest import make_parts, now, parts, scalar, seed, shopify, woocommerce

__all__ = ["Opens", "make_parts", "now", "parts", "seed", "shopify", "woocommerce"]
PATIENCE_MS = 20_000
"""How long a page may take for what it was asked: machines that build are busy."""
expect.set_options(timeout=PATIENCE_MS)
LOCALES = {"en": "en-GB", "fr": "fr-FR"}


@dataclass(frozen=True, slots=True)
class Site:
    """A live site. `url` has no slash at its end."""

    url: str
    parts: Composition


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """The one Chromium of this process."""
    with drive() as one:
        one.rest()
        yield one


@pytest.fixture
def browser(driver: Driver) -> Iterator[Browser]:
    """Chromium, ready for this test."""
    driver.wake()
    yield driver.browser
    driver.rest()


@pytest.fixture(scope="session")
def axe(driver: Driver) -> str:
    """axe-core, out of this Chromium."""
    driver.wake()
    source = axe_source(driver.browser)
    driver.rest()
    return source


@pytest.fixture
def site(parts: Composition) -> Iterator[Site]:
    """The pages on a port of their own, on the database of the test."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(make_pages(parts), lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started and time.monotonic() < until:
        time.sleep(0.005)
    assert server.started
    yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", parts)
    server.should_exit = True
    thread.join(10)
    listening.close()
    assert not thread.is_alive()


@pytest.fixture
def visitor_page(site: Site, axe: str, browser: Browser) -> Iterator[Opens]:
    """
    Open a page of nobody in particular, in a browser of its own.

    `language`, cookies by name in `signed`, and whatever Playwright's new_context takes: java_script_enabled=False, …
    """
    opened: list[BrowserContext] = []

    def make(language: str = "en", signed: dict[str, str] | None = None, **options: Any) -> Page:
        given: dict[str, Any] = {
            "base_url": site.url,
            "locale": LOCALES[language],
            "viewport": {"width": 1280, "height": HEIGHT},
            "reduced_motion": "reduce",
        }
        context = browser.new_context(**(given | options))
        context.set_default_timeout(PATIENCE_MS)
        for name, value in (signed or {}).items():
            context.add_cookies([{"name": name, "value": value, "url": site.url, "httpOnly": True, "sameSite": "Lax"}])
        opened.append(context)
        return watch(context, site.url, language, axe)

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def member_page(site: Site, visitor_page: Opens) -> Opens:
    """Open a page of a member: of `shop`'s account, or of the account of the oldest shop, or of the first account."""

    def make(role: str = "owner", language: str = "en", shop: TestShop | None = None, **options: Any) -> Page:
        account = account_of(site.parts, shop)
        return visitor_page(language, sign_in_member(site.parts, account, role) | speak(language), **options)

    return make


@pytest.fixture
def staff_page(site: Site, visitor_page: Opens) -> Opens:
    """Open a page of one of the staff, whose second factor is done."""

    def make(role: str = "support", language: str = "en", **options: Any) -> Page:
        return visitor_page(language, sign_in_staff(site.parts, role) | speak(language), **options)

    return make


def speak(code: str) -> dict[str, str]:
    """The cookie of a reader who chose that language."""
    return {language.COOKIE: code}


def account_of(parts: Composition, shop: TestShop | None) -> int:
    """The account of a shop; of none: the one of the oldest shop, else the first."""
    if shop is not None:
        return int(scalar(parts, "select account_id from shops where id = :id", id=shop.id))
    return int(scalar(parts, "select coalesce((select account_id from shops order by id limit 1), (select min(id) from accounts))"))


def sign_in_member(parts: Composition, account_id: int, role: str) -> dict[str, str]:
    """Sign in a member with that role, who is made if there is none; returns the cookie."""
    email, token = f"{role.replace('_', '-')}@members.example", secrets.token_urlsafe(32)
    with parts.db.system_transaction("sign in for a test") as session:
        known = [one for one in members.list_members(session, account_id) if one.email == email]
        row = known[0] if known else members.add(session, account_id, email, Role(role))
        sessions.begin(session, parts.services.vault, token, member_id=row.id)
    return {cookies.SESSION: token}


def sign_in_staff(parts: Composition, role: str) -> dict[str, str]:
    """Sign in one of the staff with that role, password and second factor; returns the cookie."""
    email, token = f"{role}@staff.example", secrets.token_urlsafe(32)
    vault = parts.services.vault
    with parts.db.system_transaction("sign in for a test") as session:
        row = staff.find_by_email(session, email)
        if row is None:
            row = staff.add(session, email, f"Sam {role.title()}", StaffRole(role), passwords.spare_hash())
        sessions.begin(session, vault, token, staff_id=row.id, is_second_factor_done=True)
    return {cookies.STAFF: token}
