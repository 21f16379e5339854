"""The merchants' pages about their shops, as one router."""

from fastapi import APIRouter

from connector.web.merchant import (
    automation,
    checkout,
    checkouts,
    connect,
    connection,
    dashboard,
    offer_actions,
    offer_editor,
    offer_history,
    offer_page,
    offer_preview,
    offers,
    preview,
    privacy,
    shop,
)

OFFERS = (offers, offer_history, offer_editor, offer_actions, offer_preview, offer_page)

router = APIRouter()
for page in (dashboard, connect, checkouts, checkout, automation, preview, *OFFERS, shop, connection, privacy):
    # Not as routers inside a router: whoever lists the routes, as a test does, should find them here.
    router.routes.extend(page.router.routes)
