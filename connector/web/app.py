"""The composition root of the web: the webhook door in front, the pages and the API behind it."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from connector.store.db import Wake
from connector.store.keeping import Keeper, ShopReader
from connector.web import health, install
from connector.web.composition import Composition
from connector.web.merchant import routes as merchant
from connector.web.pages import SecurityHeaders, add_error_pages
from connector.web.shopper import routes as shopper
from connector.web.support import routes as support
from sync.jobs import Job
from webhooks.directory import ShopDirectory
from webhooks.door import Door
from webhooks.inbox import Inbox

STATIC = Path(__file__).parent / "static"
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_app(composition: Composition) -> Door:
    """One ASGI application for all that comes in over HTTP."""
    settings, services = composition.settings, composition.services
    url = composition.db.url
    inbox = Inbox(Keeper(url), wake=lambda shop_id: composition.bell.ring(Wake(Job.APPLY.value, shop_id)))
    directory = ShopDirectory(ShopReader(url), services.vault)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await inbox.start()
        await directory.start()
        yield
        await inbox.stop()
        await directory.stop()

    return Door(services.platforms, inbox, directory, max_body=settings.max_body_bytes, inner=make_pages(composition, lifespan))


def settle_memory() -> None:
    """
    Spare the garbage collector what lives as long as the process: call it once, when everything is loaded and made.

    A full collection walks every object; with our modules loaded one such pause shows in the door's slowest answers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def make_pages(composition: Composition, lifespan: Lifespan | None = None) -> SecurityHeaders:
    """Everything behind the door: pages, links, installs, health."""
    pages = FastAPI(title="Connector", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    pages.state.composition = composition
    for router in (health.router, install.router, shopper.router, merchant.router, support.router):
        pages.include_router(router)
    pages.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_error_pages(pages)
    return SecurityHeaders(pages, is_sandbox=composition.settings.sandbox)
