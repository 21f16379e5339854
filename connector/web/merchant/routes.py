"""The merchants' pages about their shops, as one router."""

from fastapi import APIRouter

from connector.web.merchant import automation, checkout, checkouts, connect, connection, dashboard, preview, privacy, shop

router = APIRouter()
for page in (dashboard, connect, checkouts, checkout, automation, preview, shop, connection, privacy):
    # Not as routers inside a router: whoever lists the routes, as a test does, should find them here.
    router.routes.extend(page.router.routes)
