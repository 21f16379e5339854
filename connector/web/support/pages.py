"""All pages of support behind one router."""

from fastapi import APIRouter

from connector.web.support import audit, checkouts, connection, deliveries, offers, privacy, reasons, searching, shops, sync, sync_run

router = APIRouter()
for part in (searching, reasons, shops, deliveries, checkouts, connection, audit, privacy, offers, sync, sync_run):
    # Not as routers inside a router: whoever lists the routes, as a test does, should find them here.
    router.routes.extend(part.router.routes)
