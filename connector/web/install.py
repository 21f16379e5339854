"""
Connecting a shop: out to the store's grant page, back with proof.

Every install has a one-time state bound to one browser by a cookie; both are kept as hashes, for 15 minutes. A platform
answers either through the browser (GET, the cookie must fit) or from the store itself (POST, then the browser asks later).
"""

import secrets
import string
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from fastapi import APIRouter, HTTPException, Request
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from connector import decoding
from connector.errors import NotFound, Refused
from connector.platforms import BadSignature, Callback, Installation, InstallRefused, Platform, PlatformError
from connector.rules.permissions import Permission, Role, member_may
from connector.store import audit, installs, shops
from connector.store.db import app_now
from connector.store.installs import Claim, Finished
from connector.store.shops import Installed
from connector.web import cookies
from connector.web.asking import Ask, Visitor
from connector.web.auth import NOT_ALLOWED, signed_in
from connector.web.composition import Composition
from connector.web.examining import examine
from connector.web.formats import PLATFORM_TITLES
from connector.web.inputs import Body, Parts
from connector.web.install_phrases import refusal_words
from connector.web.language import N_, language_of
from connector.web.pages import error_page
from connector.web.sign_in import begin_member
from connector.web.subscribing import subscribe
from sync.access import acquire

COOKIE = "install"
COOKIE_PATH = "/install"
COOKIE_SECONDS = 900
MAX_STATE = 200
INSTALLER = audit.Actor("install")
NOT_YOURS = N_(
    "This sign-in was not started in this browser within the last 15 minutes, or it was used already. "
    "Please start again from the beginning."
)
BROKE_OFF = N_(
    "Connecting your store broke off, or it is still under way. Please load this page again in a moment; if that does not help, "
    "start again from the beginning."
)

router = APIRouter()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DonePage:
    """What became of an install. Without a shop it came to nothing; `is_yours`: the reader is signed in to its account."""

    platform: str
    shop_name: str = ""
    shop_id: str = ""
    missing_scopes: tuple[str, ...] = ()
    webhook_fault: str = ""
    is_yours: bool = False
    again: str = ""


class _Posted(msgspec.Struct):
    """The one field of a store's posted answer that names the install."""

    user_id: str | int = ""


@router.get("/install/{platform}")
def begin(platform: str, request: Request, parts: Parts) -> Response:
    """
    Send the browser to the store's grant page, with a new state and a cookie that ties it to this browser.

    Begun by a signed-in member, a new store joins their account; that is the owners' to decide.
    """
    adapter = _platform(parts, platform)
    account_id = joined_account(request, parts)
    state, browser = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with parts.db.system_transaction("what time an install begins") as session:
        now = app_now(session)
    base = _base(parts, platform)
    try:
        start = adapter.begin_install(request.query_params.multi_items(), state, f"{base}/callback", f"{base}/done", now)
    except (InstallRefused, BadSignature) as error:
        return _refused(request, platform, error)
    with parts.db.system_transaction("remember an install") as session:
        installs.remember(session, parts.services.vault, platform, state, browser, start.remember, account_id)
    response = RedirectResponse(parts.settings.browser_url(start.url), 302)
    is_secure = not cookies.is_plain(request, parts.settings)
    response.set_cookie(COOKIE, browser, COOKIE_SECONDS, path=COOKIE_PATH, secure=is_secure, httponly=True, samesite="lax")
    return response


@router.get("/install/{platform}/callback")
def come_back(platform: str, request: Request, ask: Visitor) -> Response:
    """
    The browser brings the platform's answer.

    Brought once more, because the process that took it died or its page was lost, it leads to what became of it.
    """
    parts = ask.parts
    adapter = _platform(parts, platform)
    query = request.query_params.multi_items()
    state, browser = dict(query).get("state", ""), request.cookies.get(COOKIE, "")
    claimed = _claim(parts, adapter, state, browser)
    if claimed is None:
        return _come_back_again(ask, adapter, state, browser)
    # The body stays out: a platform whose stores post their answer must find none here.
    try:
        installed = _finish(parts, adapter, Callback(query), state, claimed)
    except (InstallRefused, BadSignature) as error:
        return _refused(request, platform, error)
    except PlatformError as error:
        log.warning("install.failed", platform=platform, call=error.call, status=error.status)
        return error_page(request, 502, f"{error}. Nothing was connected; please try again in a moment.", **_again(platform))
    return _arrived(ask, adapter.name, installed)


@router.post("/install/{platform}/callback")
def receive(platform: str, body: Body, parts: Parts) -> Response:
    """
    The store itself posts its answer. Exactly 200 if the keys work and are kept; with anything else the store deletes them.
    """
    adapter, state = _platform(parts, platform), _posted_state(body)
    claimed = _claim(parts, adapter, state, None)
    if claimed is None:
        raise HTTPException(403, NOT_YOURS)
    # The query stays out: a platform whose answer comes through the browser must find none here, as no cookie was seen.
    try:
        installed = _finish(parts, adapter, Callback((), body), state, claimed)
    except (InstallRefused, BadSignature) as error:
        return PlainTextResponse(f"{error}\n", _refusal_status(error))
    except PlatformError as error:
        log.warning("install.failed", platform=platform, call=error.call, status=error.status)
        return PlainTextResponse(f"The store could not be asked: {error}\n", 424)
    return PlainTextResponse("connected\n", background=looking(parts, installed.shop_id))


@router.get("/install/{platform}/done")
def done(platform: str, request: Request, ask: Visitor, success: str = "", user_id: str = "") -> Response:
    """The browser comes back after the store has posted its answer; say what became of it."""
    parts = ask.parts
    adapter = _platform(parts, platform)
    if success != "1":
        return ask.render("installed.html", DonePage(PLATFORM_TITLES.get(platform, platform), again=_again(platform)["link"]))
    with parts.db.system_transaction("what became of an install") as session:
        finished = installs.find_finished(session, parts.services.vault, platform, user_id[:MAX_STATE], request.cookies.get(COOKIE, ""))
        if finished is not None and finished.owner_id is not None:
            begin_member(session, ask, finished.owner_id)
    if finished is None:
        return error_page(request, 403, NOT_YOURS, **_again(platform))
    is_yours = finished.owner_id is not None or _is_of(ask, finished.account_id)
    return ask.render("installed.html", _done_page(ask, adapter.name, finished.shop_id, is_yours=is_yours))


def joined_account(request: Request, parts: Composition) -> int | None:
    """The account that a new shop joins: that of the member who asks, else None. Raises HTTPException 403 for who may not connect."""
    signed = signed_in(request, parts, cookies.SESSION)
    member = None if signed is None else signed.member
    if member is not None and not member_may(Role(member.role), Permission.CONNECT):
        raise HTTPException(403, NOT_ALLOWED)
    return None if member is None else member.account_id


def _come_back_again(ask: Ask, adapter: Platform, state: str, browser: str) -> Response:
    """An answer that may not go on: another one for whoever brought it before, and HTTPException 403 for everybody else."""
    of_install = ask.parts.services.vault, adapter.name, state[:MAX_STATE], browser
    with ask.parts.db.system_transaction("what became of an install") as session:
        was_used, finished = installs.was_used(session, *of_install), installs.find_finished(session, *of_install)
    if finished is not None:
        return _arrived(ask, adapter.name, finished)
    if was_used:
        return error_page(ask.request, 503, BROKE_OFF, **_again(adapter.name))
    raise HTTPException(403, NOT_YOURS)


def _arrived(ask: Ask, platform: str, installed: Installed | Finished) -> Response:
    """The browser's own answer: what began in it is over."""
    response = arrive(ask, platform, installed)
    response.delete_cookie(COOKIE, path=COOKIE_PATH)
    return response


def arrive(ask: Ask, platform: str, installed: Installed | Finished) -> Response:
    """Lead whoever has just connected a shop to its page; the owner of an account that was made for it is signed in."""
    if installed.owner_id is not None:
        with ask.parts.db.system_transaction("the owner of a new account signs in by the install") as session:
            begin_member(session, ask, installed.owner_id)
    if installed.owner_id is not None or _is_of(ask, installed.account_id):
        response: Response = RedirectResponse(f"/app/shops/{installed.public_id}", 303)
    else:
        response = ask.render("installed.html", _done_page(ask, platform, installed.shop_id, is_yours=False))
    response.background = looking(ask.parts, installed.shop_id)
    return response


def looking(parts: Composition, shop_id: int) -> BackgroundTask:
    """
    Examine a new connection once the answer is on its way: what is amiss then stands on the shop's page.

    Not before: while a store posts its answer it waits for ours, and one with a single worker could not be asked.
    """

    def look() -> None:
        try:
            examine(parts, shop_id)
        except (Refused, NotFound):
            log.info("install.not_examined", shop_id=shop_id)

    return BackgroundTask(look)


def _is_of(ask: Ask, account_id: int) -> bool:
    """Whether this browser is signed in as a member of the account."""
    signed = signed_in(ask.request, ask.parts, cookies.SESSION)
    return signed is not None and signed.member is not None and signed.member.account_id == account_id


def _done_page(ask: Ask, platform: str, shop_id: int, *, is_yours: bool) -> DonePage:
    with ask.parts.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        check = installs.last_webhook_check(session, shop_id)
    return DonePage(
        platform=PLATFORM_TITLES.get(platform, platform),
        shop_name=shop.name,
        shop_id=shop.public_id,
        missing_scopes=tuple(shop.missing_scopes),
        webhook_fault=check.words if check is not None and not check.is_ready else "",
        is_yours=is_yours,
    )


def _claim(parts: Composition, adapter: Platform, state: str, browser: str | None) -> Claim | None:
    with parts.db.system_transaction("claim an install") as session:
        return installs.claim(session, parts.services.vault, adapter.name, state[:MAX_STATE], browser)


def _finish(parts: Composition, adapter: Platform, callback: Callback, state: str, claimed: Claim) -> Installed:
    """Call | write | subscribe, after the claim. Raises InstallRefused, PlatformError."""
    services, name = parts.services, adapter.name
    # Whoever acquires tokens while others refresh them would take theirs away.
    domain = claimed.remembered.get("shop", "")
    with acquire(services, name, domain) if domain else nullcontext():
        installation = adapter.finish_install(callback, claimed.remembered, state, f"{_base(parts, name)}/callback", claimed.at)
        installed = keep(parts, name, installation, state=state, account_id=claimed.account_id)
    subscribe(parts, installed.shop_id, INSTALLER)
    return installed


def keep(
    parts: Composition, platform: str, installation: Installation, *, state: str | None = None, account_id: int | None = None
) -> Installed:
    """Write down a proven install. The caller holds the shop's tokens (`sync.access.acquire`), and subscribes afterwards."""
    with parts.db.system_transaction("save an install") as session:
        installed = installs.save(
            session,
            parts.services.vault,
            platform,
            installation,
            state=state,
            fresh_key=_random(string.ascii_lowercase + string.digits, 24),
            fresh_secret=_random(string.ascii_letters + string.digits, 40),
            account_id=account_id,
        )
        audit.write(
            session, INSTALLER, "shop.connected", account_id=installed.account_id, shop_id=installed.shop_id, object=installed.public_id
        )
    log.info("shop.connected", shop_id=installed.shop_id, platform=platform, missing=len(installation.missing_scopes))
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
        return str(decoding.decode(body, _Posted).user_id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _refused(request: Request, platform: str, error: InstallRefused | BadSignature) -> HTMLResponse:
    log.info("install.refused", platform=platform, error=type(error).__name__)
    return error_page(request, _refusal_status(error), refusal_words(error, language_of(request)), **_again(platform))


def _refusal_status(error: InstallRefused | BadSignature) -> int:
    return 401 if isinstance(error, BadSignature) else 400


def _again(platform: str) -> dict[str, Any]:
    """Where an install begins: at our form, or, where merchants never type an address, in the platform's own admin."""
    return {"link": "/connect/woocommerce", "link_text": N_("Start again")} if platform == "woocommerce" else {"link": "", "link_text": ""}


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
