"""Connecting a WooCommerce store: its address for the way out and back, or keys that somebody made by hand and pastes."""

from dataclasses import dataclass

import structlog
from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from connector.errors import NotFound
from connector.platforms import InstallRefused, PlatformError
from connector.store import attempts
from connector.web import install
from connector.web.asking import Ask, Visitor, VisitorPost
from connector.web.client import client_address
from connector.web.headers import content_policy
from connector.web.install_phrases import refusal_words
from connector.web.language import N_
from connector.web.subscribing import subscribe

PLATFORM = "woocommerce"
MAX_ADDRESS, MAX_KEY = 300, 100
MOST_TRIES, WINDOW_SECONDS = 20, 900
TOO_MANY = N_("That was tried too often. Please wait a quarter of an hour.")
NO_ANSWER = N_("The store did not answer as it should, so nothing was connected. Please try again in a moment.")

router = APIRouter()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConnectPage:
    """The forms that ask for a store. `problem`: why pasted keys were not taken; the keys themselves are never shown again."""

    store: str
    problem: str = ""


@router.get("/connect/woocommerce")
def show_form(ask: Visitor, store: str = "") -> Response:
    """Ask for the address of a WooCommerce store, and offer to paste keys."""
    return _page(ask, ConnectPage(store[:MAX_ADDRESS]))


@router.post("/connect/woocommerce")
def take_keys(ask: VisitorPost) -> Response:
    """
    Connect a store with pasted keys; they are proven against the store before anything is kept.

    A member's new store joins their account, as it does by the other way. Raises HTTPException 403 and 429.
    """
    parts, store = ask.parts, ask.fields.get("store", "")[: MAX_ADDRESS + 1]
    adapter = parts.services.platforms.get(PLATFORM)
    if adapter is None or adapter.key_install is None:
        raise NotFound("There is no such kind of store.")
    account_id = install.joined_account(ask.request, parts)
    _count(ask)
    try:
        key, secret = (ask.fields.get(name, "")[:MAX_KEY] for name in ("key", "secret"))
        installation = adapter.key_install.install_by_keys(store, key, secret)
    except InstallRefused as error:
        log.info("install.refused", platform=PLATFORM, error=type(error).__name__)
        return _page(ask, ConnectPage(store[:MAX_ADDRESS], refusal_words(error, ask.language)), 400)
    except PlatformError as error:
        log.warning("install.failed", platform=PLATFORM, call=error.call, status=error.status)
        return _page(ask, ConnectPage(store[:MAX_ADDRESS], ask.gettext(NO_ANSWER)), 502)
    installed = install.keep(parts, adapter.name, installation, account_id=account_id)
    subscribe(parts, installed.shop_id, install.INSTALLER)
    return install.arrive(ask, adapter.name, installed)


def _count(ask: Ask) -> None:
    """Each try has us call a server that a stranger named. Raises HTTPException 429 for more than twenty in a quarter of an hour."""
    address = client_address(ask.request, ask.parts.settings)
    if address is None:
        return
    with ask.parts.db.system_transaction("somebody pastes keys") as session:
        may_try = attempts.take(session, ask.parts.services.vault, "keys from", address, most=MOST_TRIES, seconds=WINDOW_SECONDS)
    if not may_try:
        raise HTTPException(429, TOO_MANY)


def _page(ask: Ask, page: ConnectPage, status: int = 200) -> Response:
    policy = content_policy(is_sandbox=ask.parts.settings.sandbox, forms_lead_away=True)
    return ask.render("connect_woocommerce.html", page, status=status, headers={"content-security-policy": policy})
