"""What the operator reads: all shops, and one checkout with everything around it."""

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.store import automations, overview, shops
from connector.web.auth import require_operator
from connector.web.inputs import Parts, known_id
from connector.web.pages import render
from connector.web.support.checkout import checkout_page
from connector.web.support.deciding import Judge
from connector.web.support.overview import MANY_SHOPS, PAGE, SHORT_PAGE, overview_page, shop_section

router = APIRouter(dependencies=[Depends(require_operator)])


@router.get("/")
def show_overview(parts: Parts, shop: str = "", before: str = "") -> Response:
    """Every shop, or only `shop`; its checkouts from the one after `before` on. Each shop is read under its own policy."""
    with parts.db.system_transaction("overview of all shops") as session:
        chosen = [shops.find_shop(session, known_id(shop))] if shop else list(shops.list_shops(session))
        unknown = overview.unknown_shops(session)
    ids = [row.id for row in chosen if row.id is not None]
    cursor = known_id(before) if shop and before else None
    size = PAGE if len(ids) <= MANY_SHOPS else SHORT_PAGE
    sections = []
    for shop_id in ids:
        with parts.db.transaction(shop=shop_id) as session:
            sections.append(shop_section(session, parts.services.vault, shop_id, cursor, size))
    return render("overview.html", overview_page(sections, unknown))


@router.get("/checkouts/{public_id}")
def show_checkout(public_id: str, parts: Parts) -> Response:
    """One checkout: lines, decisions, messages, versions, order, deliveries."""
    with parts.db.system_transaction("which shop a checkout belongs to") as session:
        shop_id = overview.find_checkout_shop(session, known_id(public_id))
    with parts.db.transaction(shop=shop_id) as session:
        vault = parts.services.vault
        shop, automation = shops.get_shop(session, shop_id), automations.get_automation(session, shop_id)
        found = overview.load_checkout(session, vault, shop_id, public_id)
        verdict = Judge(session, vault, shop, automation, [found.facts]).verdict(found.facts)
        page = checkout_page(shop, found, verdict, parts.settings.browser_url)
    return render("checkout.html", page)
