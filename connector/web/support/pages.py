"""All pages of support behind one router."""

from fastapi import APIRouter

from connector.web.support import audit, checkouts, connection, deliveries, offers, privacy, reasons, searching, shops

router = APIRouter()
for part in (searching, reasons, shops, deliveries, checkouts, connection, audit, privacy, offers):
    # Not as routers inside a router: whoever lists the routes, as a test does, should find them here.
    router.routes.extend(part.router.routes)
