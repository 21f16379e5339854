"""The composition root of the web: the webhook door in front, the pages and the API behind it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.routing import BaseRoute

from connector.store.db import Wake
from connector.store.keeping import Keeper, ShopReader
from connector.web import account, components, connecting, embedded, front, install, sign_in, staff_sign_in, status_page, transfer
from connector.web import health as watching
from connector.web.api import offers as api_offers
from connector.web.api import routes as api
from connector.web.composition import Composition
from connector.web.headers import SecurityHeaders
from connector.web.health import Health
from connector.web.limits import Limits
from connector.web.merchant import routes as merchant
from connector.web.pages import add_error_pages
from connector.web.shopper import offers as shopper_offers
from connector.web.shopper import routes as shopper
from connector.web.support import pages as support_pages
from sync.jobs import Job
from webhooks.directory import ShopDirectory
from webhooks.door import Door
from webhooks.inbox import Inbox

HELPERS = 2
STATIC = Path(__file__).parent / "static"
ROUTERS = (
    watching.router,
    front.router,
    connecting.router,
    install.router,
    embedded.router,
    shopper.router,
    shopper_offers.router,
    sign_in.router,
    account.router,
    transfer.router,
    merchant.router,
    staff_sign_in.router,
    support_pages.router,
    status_page.router,
    api_offers.router,
    api.router,
)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@cache
def _routes() -> Sequence[BaseRoute]:
    """All routes, put together once: FastAPI examines each anew for every application that includes its router."""
    whole = APIRouter()
    for router in ROUTERS:
        whole.include_router(router)
    return whole.routes


def make_app(composition: Composition) -> Door:
    """One ASGI application for all that comes in over HTTP."""
    settings, services = composition.settings, composition.services
    url = composition.db.url
    helpers = [Keeper(url) for _ in range(HELPERS)]
    inbox = Inbox(Keeper(url), wake=lambda shop_id: composition.bell.ring(Wake(Job.APPLY.value, shop_id)), helpers=helpers)
    directory = ShopDirectory(ShopReader(url), services.vault)

    health = Health(composition, inbox)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await inbox.start()
        await directory.start()
        health.start()
        yield
        await health.stop()
        await inbox.stop()
        await directory.stop()

    pages = make_pages(composition, lifespan, health)
    door = Door(services.platforms, inbox, directory, max_body=settings.max_body_bytes, inner=pages)
    composition.metrics.add_source(door.families)
    return door


def make_side(composition: Composition) -> FastAPI:
    """What a process without a web shows to those who watch it: /livez and /metrics."""
    health = Health(composition)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        health.start()
        yield
        await health.stop()

    side = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    side.state.composition, side.state.health = composition, health
    side.include_router(watching.side)
    add_error_pages(side)
    return side


def make_pages(composition: Composition, lifespan: Lifespan | None = None, health: Health | None = None) -> SecurityHeaders:
    """Everything behind the door: pages, links, installs, health."""
    pages = FastAPI(title="Connector", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, routes=[*_routes()])
    pages.state.composition, pages.state.health = composition, health or Health(composition)
    if composition.settings.sandbox:
        pages.include_router(components.router)
    pages.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_error_pages(pages)
    return SecurityHeaders(Limits(pages), is_sandbox=composition.settings.sandbox)
