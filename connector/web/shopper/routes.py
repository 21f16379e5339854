"""
The links in our messages. Each carries its own 128 random bits; nothing is looked up by address, nobody is signed in.

Reading never acts, but for noting the first click: mail filters open every link they see.
"""

import re
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from connector.canonical import Channel
from connector.messages.phrases import phrase_language
from connector.rules.automations import Reason
from connector.store import automations, outgoing, people, shops
from connector.store.automation_tables import MessageRow
from connector.store.automations import Decided
from connector.store.db import Session, app_now
from connector.store.tables import CheckoutRow
from connector.web.composition import Composition
from connector.web.inputs import Parts
from connector.web.pages import render
from connector.web.shell import bare_shell
from connector.web.shopper.phrases import PHRASES
from connector.web.shopper.targets import carried_on, safe_target

HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow", "cache-control": "no-store"}

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ShopperPage:
    """A title, a sentence, and maybe the one button there is."""

    language: str
    title: str
    text: str
    button: str = ""


@router.api_route("/r/{token}", methods=["GET", "HEAD"])
def follow(token: str, request: Request, parts: Parts) -> Response:
    """
    Lead back to the checkout in its shop, and note the first click. An unknown token leads nowhere.

    A discount code and campaign names in our own link go along.
    """
    if not _TOKEN.fullmatch(token):
        return _gone(request)
    with parts.db.system_transaction("follow a link of any shop") as session:
        message = outgoing.find_by_link(session, token)
        target = None if message is None else _target(session, message)
        if message is not None and target is not None and request.method == "GET" and message.clicked_at is None:
            message.clicked_at = app_now(session)
    if target is None:
        return _gone(request)
    return RedirectResponse(parts.settings.browser_url(carried_on(target, request.query_params.multi_items())), 302, HEADERS)


@router.api_route("/u/{token}", methods=["GET", "HEAD"])
def ask(token: str, request: Request, parts: Parts) -> Response:
    """A page with one button. It shows no address."""
    found = _find(parts, token)
    if found is None:
        return _gone(request)
    words, shop = PHRASES[found.language], found.shop_name
    page = ShopperPage(found.language, words["ask_title"], words["ask"].format(shop=shop), words["ask_button"])
    return _render(request, page)


@router.post("/u/{token}")
def unsubscribe(token: str, request: Request, parts: Parts) -> Response:
    """
    Stop writing to this address, at once: the page's button and a mail provider's one click (RFC 8058) end here alike.

    The body is not looked at, no cookie or origin is asked for, and doing it twice is doing it once.
    """
    found = _find(parts, token)
    if found is None:
        return _gone(request)
    _suppress(parts, found)
    words = PHRASES[found.language]
    page = ShopperPage(found.language, words["done_title"], words["done"].format(shop=found.shop_name))
    return _render(request, page)


@dataclass(frozen=True, slots=True)
class _Found:
    """Whom a link of ours unsubscribes, and from whom."""

    shop_id: int
    shop_name: str
    language: str
    channel: Channel
    address: str


def _target(session: Session, message: MessageRow) -> str | None:
    shop = shops.get_shop(session, message.shop_id)
    checkout = session.get_one(CheckoutRow, message.checkout_id)
    return safe_target(checkout.recovery_url, (*shop.hosts, shop.domain.partition("/")[0]), shop.url)


def _find(parts: Composition, token: str) -> _Found | None:
    if not _TOKEN.fullmatch(token):
        return None
    with parts.db.system_transaction("whose unsubscribe link is this") as session:
        message = outgoing.find_by_unsubscribe(session, token)
        if message is None:
            return None
        shop = shops.get_shop(session, message.shop_id)
        checkout = session.get_one(CheckoutRow, message.checkout_id)
        language = phrase_language(checkout.language or shop.language or "")
        return _Found(message.shop_id, shop.name, language, Channel(message.channel), message.address)


def _suppress(parts: Composition, found: _Found) -> None:
    vault = parts.services.vault
    with parts.db.transaction(shop=found.shop_id) as session:
        people.lock_address(session, vault, found.shop_id, found.channel, found.address, shared=False)
        people.suppress(session, vault, found.shop_id, found.channel, found.address, "unsubscribed")
        cancelled = outgoing.cancel_for_address(session, found.shop_id, found.channel.value, found.address, Reason.SUPPRESSED)
        automations.decide(session, found.shop_id, [Decided(checkout, automation, Reason.SUPPRESSED) for checkout, automation in cancelled])
    parts.metrics.messages_cancelled(found.channel.value, len(cancelled))


def _gone(request: Request) -> Response:
    language = phrase_language(request.headers.get("accept-language", "").partition(",")[0].partition(";")[0])
    words = PHRASES[language]
    return _render(request, ShopperPage(language, words["gone_title"], words["gone"]), 404)


def _render(request: Request, page: ShopperPage, status: int = 200) -> Response:
    """The shopper's language, not that of our own pages' readers; no frame, no cookies."""
    return render(replace(bare_shell(request), language=page.language), "shopper.html", page, status=status, headers=HEADERS)
