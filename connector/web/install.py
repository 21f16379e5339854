"""
Connecting a shop: out to the store's grant page, back with proof.

Every install has a one-time state bound to one browser by a cookie; both are kept as hashes, for 15 minutes. A platform
answers either through the browser (GET, the cookie must fit) or from the store itself (POST, then the browser asks later).
"""

import secrets
import string
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from connector.errors import NotFound
from connector.platforms import Callback, InstallRefused, Platform, PlatformError
from connector.store import installs
from connector.store.db import app_now
from connector.store.shops import Installed
from connector.web.composition import Composition
from connector.web.formats import PLATFORM_TITLES
from connector.web.inputs import Body, Parts
from connector.web.pages import content_policy, error_page, render
from connector.web.subscribing import subscribe

COOKIE = "install"
COOKIE_PATH = "/install"
COOKIE_SECONDS = 900
MAX_STATE = 200
NOT_YOURS = (
    "This sign-in was not started in this browser within the last 15 minutes, or it was used already. "
    "Please start again from the beginning."
)

router = APIRouter()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConnectPage:
    """The form that asks for a store's address."""

    store: str


@dataclass(frozen=True, slots=True)
class DonePage:
    """What became of an install. Without a shop it came to nothing."""

    platform: str
    shop_name: str
    shop_id: str
    missing_scopes: tuple[str, ...]
    webhook_fault: str
    again: str


class _Posted(msgspec.Struct):
    """The one field of a store's posted answer that names the install."""

    user_id: str | int = ""


@router.get("/connect/woocommerce")
def connect(parts: Parts, store: str = "") -> Response:
    """Ask for the address of a WooCommerce store."""
    policy = content_policy(is_sandbox=parts.settings.sandbox, forms_lead_away=True)
    return render("connect.html", ConnectPage(store[:300]), headers={"content-security-policy": policy})


@router.get("/install/{platform}")
def begin(platform: str, request: Request, parts: Parts) -> Response:
    """Send the browser to the store's grant page, with a new state and a cookie that ties it to this browser."""
    adapter = _platform(parts, platform)
    state, browser = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with parts.db.system_transaction("what time an install begins") as session:
        now = app_now(session)
    base = _base(parts, platform)
    try:
        start = adapter.begin_install(request.query_params.multi_items(), state, f"{base}/callback", f"{base}/done", now)
    except InstallRefused as error:
        return _refused(platform, error)
    with parts.db.system_transaction("remember an install") as session:
        installs.remember(session, parts.services.vault, platform, state, browser, start.remember)
    response = RedirectResponse(parts.settings.browser_url(start.url), 302)
    is_plain_sandbox = parts.settings.sandbox and request.url.scheme == "http"
    response.set_cookie(COOKIE, browser, COOKIE_SECONDS, path=COOKIE_PATH, secure=not is_plain_sandbox, httponly=True, samesite="lax")
    return response


@router.get("/install/{platform}/callback")
def come_back(platform: str, request: Request, parts: Parts) -> Response:
    """The browser brings the platform's answer."""
    adapter = _platform(parts, platform)
    query = request.query_params.multi_items()
    browser = request.cookies.get(COOKIE, "")
    # The body stays out: a platform whose stores post their answer must find none here.
    try:
        installed = _finish(parts, adapter, Callback(query), dict(query).get("state", ""), browser)
    except InstallRefused as error:
        return _refused(platform, error)
    except PlatformError as error:
        log.warning("install.failed", platform=platform, call=error.call, status=error.status)
        return error_page(502, f"{error}. Nothing was connected; please try again in a moment.", **_again(platform))
    response = RedirectResponse(f"/shops/{installed.public_id}", 303)
    response.delete_cookie(COOKIE, path=COOKIE_PATH)
    return response


@router.post("/install/{platform}/callback")
def receive(platform: str, body: Body, parts: Parts) -> Response:
    """
    The store itself posts its answer. Exactly 200 if the keys work and are kept; with anything else the store deletes them.
    """
    adapter = _platform(parts, platform)
    # The query stays out: a platform whose answer comes through the browser must find none here, as no cookie was seen.
    try:
        _finish(parts, adapter, Callback((), body), _posted_state(body), None)
    except InstallRefused as error:
        return PlainTextResponse(f"{error}\n", 400)
    except PlatformError as error:
        log.warning("install.failed", platform=platform, call=error.call, status=error.status)
        return PlainTextResponse(f"The store could not be asked: {error}\n", 424)
    return PlainTextResponse("connected\n")


@router.get("/install/{platform}/done")
def done(platform: str, request: Request, parts: Parts, success: str = "", user_id: str = "") -> Response:
    """The browser comes back after the store has posted its answer; say what became of it."""
    adapter = _platform(parts, platform)
    title = PLATFORM_TITLES.get(adapter.name, adapter.name)
    again = _again(platform)["link"]
    if success != "1":
        return render("installed.html", DonePage(title, "", "", (), "", again))
    with parts.db.system_transaction("what became of an install") as session:
        shop = installs.find_finished(session, parts.services.vault, platform, user_id[:MAX_STATE], request.cookies.get(COOKIE, ""))
        check = None if shop is None or shop.id is None else installs.last_webhook_check(session, shop.id)
    if shop is None:
        return error_page(403, NOT_YOURS, **_again(platform))
    fault = check.words if check is not None and not check.is_ready else ""
    return render("installed.html", DonePage(title, shop.name, shop.public_id, tuple(shop.missing_scopes), fault, again))


def _finish(parts: Composition, adapter: Platform, callback: Callback, state: str, browser: str | None) -> Installed:
    """Claim | call | write | subscribe. Raises InstallRefused, PlatformError, HTTPException 403 for a state that is not good."""
    services = parts.services
    with parts.db.system_transaction("claim an install") as session:
        remembered = installs.claim(session, services.vault, adapter.name, state[:MAX_STATE], browser)
        now = app_now(session)
    if remembered is None:
        raise HTTPException(403, NOT_YOURS)
    installation = adapter.finish_install(callback, remembered, state, f"{_base(parts, adapter.name)}/callback", now)
    with parts.db.system_transaction("save an install") as session:
        installed = installs.save(
            session,
            services.vault,
            adapter.name,
            installation,
            state=state,
            fresh_key=_random(string.ascii_lowercase + string.digits, 24),
            fresh_secret=_random(string.ascii_letters + string.digits, 40),
        )
    log.info("shop.connected", shop_id=installed.shop_id, platform=adapter.name, missing=len(installation.missing_scopes))
    subscribe(parts, installed.shop_id, "install")
    return installed


def _platform(parts: Composition, name: str) -> Platform:
    platform = parts.services.platforms.get(name)
    if platform is None:
        raise NotFound("There is no such kind of store.")
    return platform


def _base(parts: Composition, platform: str) -> str:
    return f"{parts.settings.public_url.rstrip('/')}/install/{platform}"


def _posted_state(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=_Posted).user_id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _refused(platform: str, error: InstallRefused) -> HTMLResponse:
    log.info("install.refused", platform=platform)
    return error_page(400, str(error), **_again(platform))


def _again(platform: str) -> dict[str, Any]:
    """Where an install begins: at our form, or, where merchants never type an address, in the platform's own admin."""
    return {"link": "/connect/woocommerce", "link_text": "Start again"} if platform == "woocommerce" else {"link": "", "link_text": ""}


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
