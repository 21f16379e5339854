"""One checkout as support sees it: the merchant's page, and all that it was made of. Shown for a reason, and written down."""

import itertools
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.automations import Verdict
from connector.rules.permissions import StaffPermission
from connector.rules.zones import zone
from connector.store import automations, overview, shops
from connector.store.inbox_tables import DeliveryRow
from connector.store.overview import Found
from connector.store.tables import CheckoutVersionRow, ShopRow
from connector.web.auth import StaffAsk, staff_reading
from connector.web.deciding import Judge
from connector.web.formats import PLATFORM_TITLES, Moment, moment
from connector.web.inputs import known_id
from connector.web.merchant.checkout import CheckoutPage, checkout_page
from connector.web.phrases import DELIVERY_STATES, reason_text
from connector.web.support.deliveries import DELIVERY_KINDS

router = APIRouter()
Reader = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.PERSONAL))]


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision that was written, in plain words."""

    text: str
    code: str
    at: Moment


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version that was seen. `is_active`: the shopper had done something since the one before."""

    at: Moment
    fingerprint: str
    pieces: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class AboutLine:
    """One webhook that spoke of this person."""

    number: int
    url: str
    topic: str
    state: str
    state_kind: str
    reason: str
    received_at: Moment


@dataclass(frozen=True, slots=True)
class SupportCheckoutPage:
    """What the merchant sees, and what only support does. `reason`: why it is looked at."""

    merchant: CheckoutPage
    public_id: str
    shop_url: str
    deliveries_url: str
    platform: str
    reason: str
    decisions: tuple[DecisionLine, ...]
    versions: tuple[VersionLine, ...]
    deliveries: tuple[AboutLine, ...]


@router.get("/support/checkouts/{checkout}")
def show_checkout(ask: Reader, checkout: str) -> Response:
    """The page. That it was looked at is written in the transaction that reads it."""
    with ask.system("which shop a checkout belongs to") as session:
        shop = shops.get_shop(session, overview.find_checkout_shop(session, known_id(checkout)))
    assert shop.id is not None
    vault = ask.parts.services.vault
    with ask.transaction(shop.id) as session:
        reason = ask.need_reason(session, shop)
        found = overview.load_checkout(session, vault, shop.id, checkout)
        automation = automations.get_automation(session, shop.id)
        verdict = Judge(session, vault, shop, automation, [found.facts]).verdict(found.facts)
        ask.audit(session, "support.viewed", shop=shop, object=checkout, reason=reason)
    return ask.render("support_checkout.html", _page(ask, shop, found, verdict, reason))


def _page(ask: StaffAsk, shop: ShopRow, found: Found, verdict: Verdict, reason: str) -> SupportCheckoutPage:
    place = zone(shop.timezone)
    url = f"/support/shops/{shop.public_id}"
    return SupportCheckoutPage(
        merchant=checkout_page(ask, shop, found, verdict),
        public_id=found.row.public_id,
        shop_url=url,
        deliveries_url=f"{url}/deliveries",
        platform=PLATFORM_TITLES.get(shop.platform, shop.platform),
        reason=reason,
        decisions=_decisions(ask, found, place),
        versions=_versions(ask, found, place),
        deliveries=tuple(_about(ask, row, f"{url}/deliveries", place) for row in found.deliveries),
    )


def _decisions(ask: StaffAsk, found: Found, place: tzinfo) -> tuple[DecisionLine, ...]:
    """The last twenty of each automation, newest first."""
    written = [(datetime.fromisoformat(entry["at"]), entry["reason"]) for one in found.decisions for entry in one.history]
    newest = sorted(written, reverse=True)
    return tuple(DecisionLine(ask.gettext(reason_text(reason)), reason, moment(at, place, ask.language)) for at, reason in newest)


def _versions(ask: StaffAsk, found: Found, place: tzinfo) -> tuple[VersionLine, ...]:
    """Newest first; each is compared with the one before it in time, which is the next in the list."""
    earlier = itertools.chain((version.fingerprint for version in found.versions[1:]), (None,))
    return tuple(_version(ask, version, before, place) for version, before in zip(found.versions, earlier, strict=False))


def _version(ask: StaffAsk, version: CheckoutVersionRow, earlier: str | None, place: tzinfo) -> VersionLine:
    return VersionLine(
        at=moment(version.source_version, place, ask.language),
        fingerprint=version.fingerprint[:8],
        pieces=sum(version.quantities.values()),
        is_active=version.fingerprint != earlier,
    )


def _about(ask: StaffAsk, row: DeliveryRow, deliveries: str, place: tzinfo) -> AboutLine:
    assert row.id is not None
    return AboutLine(
        number=row.id,
        url=f"{deliveries}/{row.id}",
        topic=row.topic,
        state=ask.gettext(DELIVERY_STATES[row.state]),
        state_kind=DELIVERY_KINDS.get(row.state, ""),
        reason=row.reason or "",
        received_at=moment(row.received_at, place, ask.language),
    )
