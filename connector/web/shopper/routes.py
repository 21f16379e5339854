"""
The links in our messages. Each carries its own 128 random bits; nothing is looked up by address, nobody is signed in.

Reading never acts, but for noting the first click: mail filters open every link they see.
"""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from connector.canonical import Channel
from connector.messages.phrases import phrase_language
from connector.rules.automations import Reason
from connector.store import automations, grant_mails, outgoing, people, shops
from connector.store.automation_tables import MessageRow
from connector.store.automations import Decided
from connector.store.db import Session, app_now
from connector.store.offer_tables import GrantRow
from connector.store.tables import CheckoutRow
from connector.web.composition import Composition
from connector.web.inputs import Parts
from connector.web.shopper.page import HEADERS, TOKEN, ShopperPage, gone, show
from connector.web.shopper.phrases import PHRASES
from connector.web.shopper.targets import carried_on, safe_target

router = APIRouter()


@router.api_route("/r/{token}", methods=["GET", "HEAD"])
def follow(token: str, request: Request, parts: Parts) -> Response:
    """
    Lead back to the checkout in its shop, and note the first click. An unknown token leads nowhere.

    A discount code and campaign names in our own link go along.
    """
    if not TOKEN.fullmatch(token):
        return gone(request)
    with parts.db.system_transaction("follow a link of any shop") as session:
        message = outgoing.find_by_link(session, token)
        target = None if message is None else _target(session, message)
        if message is not None and target is not None and request.method == "GET" and message.clicked_at is None:
            message.clicked_at = app_now(session)
    if target is None:
        return gone(request)
    return RedirectResponse(parts.settings.browser_url(carried_on(target, request.query_params.multi_items())), 302, HEADERS)


@router.api_route("/u/{token}", methods=["GET", "HEAD"])
def ask(token: str, request: Request, parts: Parts) -> Response:
    """A page with one button. It shows no address."""
    found = _find(parts, token)
    if found is None:
        return gone(request)
    words, shop = PHRASES[found.language], found.shop_name
    question = words["ask_offers" if found.is_offer else "ask"].format(shop=shop)
    page = ShopperPage(found.language, words["ask_title"], question, words["ask_button"])
    return show(request, page)


@router.post("/u/{token}")
def unsubscribe(token: str, request: Request, parts: Parts) -> Response:
    """
    Stop writing to this address, at once: the page's button and a mail provider's one click (RFC 8058) end here alike.

    The body is not looked at, no cookie or origin is asked for, and doing it twice is doing it once.
    """
    found = _find(parts, token)
    if found is None:
        return gone(request)
    _suppress(parts, found)
    words = PHRASES[found.language]
    page = ShopperPage(found.language, words["done_title"], words["done"].format(shop=found.shop_name))
    return show(request, page)


@dataclass(frozen=True, slots=True)
class _Found:
    """Whom a link of ours unsubscribes, and from whom."""

    shop_id: int
    shop_name: str
    language: str
    channel: Channel
    address: str
    is_offer: bool = False


def _target(session: Session, message: MessageRow) -> str | None:
    shop = shops.get_shop(session, message.shop_id)
    checkout = session.get_one(CheckoutRow, message.checkout_id)
    return safe_target(checkout.recovery_url, (*shop.hosts, shop.domain.partition("/")[0]), shop.url)


def _find(parts: Composition, token: str) -> _Found | None:
    if not TOKEN.fullmatch(token):
        return None
    with parts.db.system_transaction("whose unsubscribe link is this") as session:
        message = outgoing.find_by_unsubscribe(session, token)
        if message is None:
            return _find_offer(session, token)
        shop = shops.get_shop(session, message.shop_id)
        checkout = session.get_one(CheckoutRow, message.checkout_id)
        language = phrase_language(checkout.language or shop.language or "")
        return _Found(message.shop_id, shop.name, language, Channel(message.channel), message.address)


def _find_offer(session: Session, token: str) -> _Found | None:
    mail = grant_mails.find_by_unsubscribe(session, token)
    if mail is None:
        return None
    shop, grant = shops.get_shop(session, mail.shop_id), session.get_one(GrantRow, mail.grant_id)
    language = phrase_language(grant.language or shop.language or "")
    return _Found(mail.shop_id, shop.name, language, Channel.EMAIL, mail.address, is_offer=True)


def _suppress(parts: Composition, found: _Found) -> None:
    vault = parts.services.vault
    with parts.db.transaction(shop=found.shop_id) as session:
        people.lock_address(session, vault, found.shop_id, found.channel, found.address, shared=False)
        people.suppress(session, vault, found.shop_id, found.channel, found.address, "unsubscribed")
        cancelled = outgoing.cancel_for_address(session, found.shop_id, found.channel.value, found.address, Reason.SUPPRESSED)
        automations.decide(session, found.shop_id, [Decided(checkout, automation, Reason.SUPPRESSED) for checkout, automation in cancelled])
        offers = grant_mails.cancel_for_address(session, found.shop_id, found.address)
    parts.metrics.messages_cancelled(found.channel.value, len(cancelled) + offers)
