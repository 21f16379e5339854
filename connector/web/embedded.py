"""
Our page inside Shopify's admin: thin on purpose. It shows the state, has the switch, and leads to the whole app.

The document holds nothing of the shop. A script on it fetches the inside with a session token. The way out is a code of a minute,
sent by a form of this page at the top of the browser, where our cookies work.
"""

import secrets
from dataclasses import dataclass

import msgspec
import structlog
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from connector import decoding
from connector.canonical import Channel
from connector.errors import NotFound, Refused
from connector.platforms import InstallRefused, PlatformError
from connector.rules import activation
from connector.rules.permissions import Permission
from connector.store import admin_codes, automations, installs
from connector.store.access_tables import MemberRow
from connector.store.tables import ShopRow
from connector.web import install
from connector.web.asking import Ask, browser_of, is_same_origin
from connector.web.embedded_asking import PLATFORM, RETRY, AdminAsk, InAdmin, admin_language, embedded_of, let_in
from connector.web.embedded_state import StatePage, state_page
from connector.web.headers import framed_policy
from connector.web.inputs import Body, Fields, Parts
from connector.web.language import N_, language_of, translator
from connector.web.pages import error_page, refusal, render
from connector.web.shell import Shell
from connector.web.sign_in import begin_member
from connector.web.subscribing import subscribe
from sync.access import acquire

ADMIN_SITE = "https://admin.shopify.com"
SCRIPT_SITE = "https://cdn.shopify.com"
SCRIPT = f"{SCRIPT_SITE}/shopifycloud/app-bridge.js"
MAX_CODE = 100
STATE = "embedded_state.html"
NO_APP = N_("This connector has no Shopify app yet: set SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET.")
NO_ANSWER = N_("Shopify did not answer as it should, so nothing was changed. Please try again in a moment.")
OLD_CODE = N_("This way in was used already, or it is older than a minute. Open the app in Shopify again and use its button.")

router = APIRouter()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FramePage:
    """The empty page: who we are for Shopify's script, and where that is."""

    client_id: str
    script_url: str


class _Switch(msgspec.Struct):
    """What the switch sends."""

    is_on: bool


@router.get("/embedded/shopify")
def show_frame(request: Request, parts: Parts, locale: str = "") -> Response:
    """The empty page, which the admin of the shop that asks may show, and nobody else."""
    settings = parts.settings
    if not settings.shopify_client_id:
        return error_page(request, 400, NO_APP)
    try:
        shop = embedded_of(parts).check_frame(request.query_params.multi_items())
    except InstallRefused as error:
        return error_page(request, 400, str(error))
    sites = [settings.browser_url(f"https://{shop}"), settings.browser_url(ADMIN_SITE)]
    headers = {
        "content-security-policy": framed_policy(sites, settings.browser_url(SCRIPT_SITE)),
        # The address holds what Shopify gave to prove who asks: no other request may repeat it.
        "referrer-policy": "strict-origin",
    }
    shell = Shell(language=admin_language(request, locale), path="", is_sandbox=settings.sandbox)
    return render(shell, "embedded.html", FramePage(settings.shopify_client_id, settings.browser_url(SCRIPT)), headers=headers)


@router.post("/embedded/shopify/opening")
def open_page(ask: InAdmin) -> Response:
    """The inside. The first time, and after everything that ended the access, the shop is connected before."""
    try:
        shop = _connected(ask)
        member = let_in(ask, shop.account_id)
    except InstallRefused as error:
        raise HTTPException(401, headers=RETRY) from error
    except PlatformError as error:
        log.warning("admin.failed", call=error.call, status=error.status)
        return _inside(ask, problem=translator(ask.language).gettext(NO_ANSWER), status=502)
    return _inside(ask, member)


@router.post("/embedded/shopify/automation")
def switch_automation(ask: InAdmin, body: Body) -> Response:
    """Turn the reminder on or off; what is queued is cancelled (SQ-20, SQ-21). Raises HTTPException 400 and 403."""
    try:
        is_on = decoding.decode(body, _Switch).is_on
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400) from error
    parts, problem = ask.parts, ""
    with parts.db.system_transaction("who switches from an admin") as session:
        shop, member = ask.member_who_may(session, Permission.AUTOMATE)
    assert shop.id is not None
    try:
        with parts.db.transaction(shop=shop.id) as session:
            if is_on:
                activation.check(activation.facts(shop, can_send_mail=parts.settings.sandbox or parts.settings.can_send_mail))
                automations.turn_on(session, shop, ask.actor(member))
            else:
                parts.metrics.messages_cancelled(Channel.EMAIL.value, automations.turn_off(session, shop, ask.actor(member)))
    except Refused as error:
        problem = refusal(error, ask.language)
    return _inside(ask, member, problem, status=422 if problem else 200)


@router.post("/embedded/shopify/codes")
def make_code(ask: InAdmin) -> Response:
    """A code that leads the person who asks into the whole app, for a minute. Raises HTTPException 403 for nobody of ours."""
    code = secrets.token_urlsafe(32)
    with ask.parts.db.system_transaction("a code that leads out of an admin") as session:
        shop, member = ask.member_who_may(session, Permission.VIEW)
        assert shop.id is not None
        assert member.id is not None
        admin_codes.make(session, ask.parts.services.vault, code, shop.id, member.id)
    return JSONResponse({"code": code})


@router.post("/embedded/shopify/entrance")
def enter(request: Request, parts: Parts, fields: Fields) -> Response:
    """
    Use a code and sign the member in. Only a page of ours may send one: another site could sign people in as somebody else.

    Raises HTTPException 403.
    """
    if not is_same_origin(request):
        raise HTTPException(403, OLD_CODE)
    ask = Ask(parts, request, language_of(request), browser_of(request, parts), fields)
    with parts.db.system_transaction("a member comes from an admin") as session:
        entrance = admin_codes.redeem(session, parts.services.vault, fields.get("code", "")[:MAX_CODE])
        if entrance is not None:
            begin_member(session, ask, entrance.member_id)
    if entrance is None:
        raise HTTPException(403, OLD_CODE)
    return RedirectResponse(f"/app/shops/{entrance.shop_public_id}", 303)


def _connected(ask: AdminAsk) -> ShopRow:
    """The shop, connected by the session token if it is not. Raises InstallRefused or PlatformError."""
    parts = ask.parts
    shop = _shop(ask)
    if shop is not None:
        return shop
    with acquire(parts.services, PLATFORM, ask.person.domain):
        shop = _shop(ask)
        if shop is not None:  # a page beside this one was faster
            return shop
        installed = install.keep(parts, PLATFORM, ask.embedded.install(ask.person, ask.now))
    subscribe(parts, installed.shop_id, install.INSTALLER)
    shop = _shop(ask)
    if shop is None:
        raise NotFound("The shop was uninstalled meanwhile.")
    return shop


def _shop(ask: AdminAsk) -> ShopRow | None:
    with ask.parts.db.system_transaction("which shop an admin is of") as session:
        return ask.shop(session)


def _inside(ask: AdminAsk, member: MemberRow | None = None, problem: str = "", status: int = 200) -> Response:
    """The inside as it is now; without a connected shop only what went wrong."""
    with ask.parts.db.system_transaction("what an admin page shows") as session:
        shop = installs.find_shop(session, PLATFORM, ask.person.domain)
        page = StatePage(problem=problem) if shop is None else state_page(ask, session, shop, member, problem)
    return ask.render(STATE, page, status)
