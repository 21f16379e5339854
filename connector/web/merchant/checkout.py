"""One checkout: what is in it, what was decided about it and why, what was sent, and everything that happened, by time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.automations import Verdict
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import automations, overview, shops
from connector.store.automation_tables import MessageRow
from connector.store.db import Session
from connector.store.listing import ListedState
from connector.store.outgoing import LineView
from connector.store.overview import Found
from connector.store.tables import CheckoutRow, ShopRow
from connector.web.asking import Ask
from connector.web.auth import MemberAsk, reading
from connector.web.deciding import Judge
from connector.web.formats import Moment, moment, moment_or_none, money
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.phrases import CHECKOUT_KINDS, CHECKOUT_STATES, MESSAGE_KINDS
from connector.web.merchant.timeline import Event, timeline
from connector.web.phrases import MESSAGE_STATES, reason_text
from connector.web.states import checkout_state

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, with its name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ProductLine:
    """One line. An empty `image_url`: there is no picture that may be shown."""

    title: str
    variant: str
    quantity: int
    unit_price: str
    total: str
    image_url: str


@dataclass(frozen=True, slots=True)
class CurrentDecision:
    """Why a reminder was or was not sent, in plain words. Without `at` it is what would be decided now."""

    text: str
    at: Moment | None


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message; `why` and `detail` where it was not simply sent."""

    address: str
    state: str
    state_kind: str
    why: str
    detail: str
    due_at: Moment
    sent_at: Moment | None
    clicked_at: Moment | None


@dataclass(frozen=True, slots=True)
class CheckoutPage:
    """Everything about one checkout. `recovery_url` is empty if the store gave none that may be followed."""

    name: str
    shop_id: str
    shop_name: str
    timezone: str
    state: str
    state_kind: str
    total: str
    decision: CurrentDecision
    events: tuple[Event, ...]
    lines: tuple[ProductLine, ...]
    people: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    recovery_url: str
    messages: tuple[MessageLine, ...]


@router.get("/app/checkouts/{checkout}")
def show_checkout(ask: Viewer, checkout: str) -> Response:
    """The page of one checkout."""
    with ask.transaction() as session:
        shop = _shop_of(ask, session, known_id(checkout))
        assert shop.id is not None
        vault = ask.parts.services.vault
        found = overview.load_checkout(session, vault, shop.id, checkout)
        automation = automations.get_automation(session, shop.id)
        verdict = Judge(session, vault, shop, automation, [found.facts]).verdict(found.facts)
    return ask.render("checkout_merchant.html", checkout_page(ask, shop, found, verdict))


def checkout_page(ask: Ask, shop: ShopRow, found: Found, verdict: Verdict) -> CheckoutPage:
    """Put it together in the reader's language. `verdict` counts where nothing was decided yet."""
    row, place, language = found.row, zone(shop.timezone), ask.language
    state = ListedState[checkout_state(found.facts, row.converted_at).name]
    browser_url = ask.parts.settings.browser_url
    return CheckoutPage(
        name=row.number or row.platform_id,
        shop_id=shop.public_id,
        shop_name=shop.name,
        timezone=shop.timezone,
        state=ask.gettext(CHECKOUT_STATES[state]),
        state_kind=CHECKOUT_KINDS.get(state, ""),
        total=money(row.total, row.currency, language),
        decision=_decision(ask, found, verdict, place),
        events=timeline(found, place, language),
        lines=tuple(_line(line, row.currency, language, browser_url) for line in found.lines),
        people=_people(ask, row),
        facts=_facts(ask, row, place),
        recovery_url=_web_url(row.recovery_url, browser_url),
        messages=tuple(_message(ask, message, place) for message in found.messages),
    )


def _shop_of(ask: MemberAsk, session: Session, checkout: str) -> ShopRow:
    """The shop of a checkout of this account; those of others are not seen at all. Raises NotFound."""
    return ask.shop(session, shops.get_shop(session, overview.find_checkout_shop(session, checkout)).public_id)


def _decision(ask: Ask, found: Found, verdict: Verdict, place: tzinfo) -> CurrentDecision:
    written = max(found.decisions, key=lambda one: one.decided_at, default=None)
    if written is None:
        return CurrentDecision(ask.gettext(reason_text(verdict.reason)), None)
    return CurrentDecision(ask.gettext(reason_text(written.reason)), moment(written.decided_at, place, ask.language))


def _line(line: LineView, currency: str, language: str, browser_url: Callable[[str], str]) -> ProductLine:
    return ProductLine(
        title=line.title,
        variant=line.variant_title or "",
        quantity=line.quantity,
        unit_price=money(line.unit_price, currency, language),
        total=money(line.total, currency, language),
        image_url=_web_url(line.image_url, browser_url),
    )


def _people(ask: Ask, row: CheckoutRow) -> tuple[Fact, ...]:
    agreed = [ask.gettext(word) for word, holds in ((N_("e-mail"), row.accepts_email), (N_("SMS"), row.accepts_sms)) if holds]
    pairs = (
        (N_("E-mail"), row.email),
        (N_("Name"), " ".join(filter(None, (row.first_name, row.last_name)))),
        (N_("Company"), row.company),
        (N_("Phone of the customer"), row.phone_raw),
        (N_("Phone typed at checkout"), row.checkout_phone_raw),
        (N_("Country"), row.country),
        (N_("Language"), row.language),
        (N_("Agreed to marketing"), ", ".join(agreed) or ask.gettext(N_("no"))),
    )
    return _named(ask, pairs)


def _facts(ask: Ask, row: CheckoutRow, place: tzinfo) -> tuple[Fact, ...]:
    amounts = ((N_("Subtotal"), row.subtotal), (N_("Discount"), row.discount_total), (N_("Tax"), row.tax_total))
    due = moment_or_none(row.due_at, place, ask.language)
    pairs = (
        (N_("Number in the store"), row.platform_id),
        *((name, money(amount, row.currency, ask.language)) for name, amount in amounts if amount is not None),
        (N_("Discount codes"), ", ".join(row.discount_codes)),
        (N_("Shipping"), row.shipping_method),
        (N_("Will count as abandoned"), None if due is None else due.text),
    )
    return _named(ask, pairs)


def _named(ask: Ask, pairs: tuple[tuple[str, str | None], ...]) -> tuple[Fact, ...]:
    return tuple(Fact(ask.gettext(name), text) for name, text in pairs if text)


def _message(ask: Ask, row: MessageRow, place: tzinfo) -> MessageLine:
    return MessageLine(
        address=row.address,
        state=ask.gettext(MESSAGE_STATES[row.state]),
        state_kind=MESSAGE_KINDS.get(row.state, ""),
        why=ask.gettext(reason_text(row.reason)) if row.reason else "",
        detail=row.detail or "",
        due_at=moment(row.due_at, place, ask.language),
        sent_at=moment_or_none(row.handed_over_at, place, ask.language),
        clicked_at=moment_or_none(row.clicked_at, place, ask.language),
    )


def _web_url(url: str | None, browser_url: Callable[[str], str]) -> str:
    """An address that a page may lead to or show: https, or its twin in a sandbox."""
    return browser_url(url) if url and url.startswith("https://") else ""
