"""A tiny app that plays our role against the sandbox, and the clock they share. Knows nothing of the real adapters."""

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from integrations.sandbox.servers import LocalServer
from integrations.sandbox.woocommerce_store import Store
from integrations.sandbox.world import Sandbox
from integrations.transport import Transport

SHOPIFY_HOOKS = "/webhooks/shopify"
WOOCOMMERCE_HOOKS = "/webhooks/woocommerce/key"
WOOCOMMERCE_SECRET = "webhookSecret1"
START = datetime(2026, 11, 21, 10, 15, 30, 123456, tzinfo=UTC)


class Clock:
    """A virtual clock that moves only when told to."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **amount: float) -> None:
        self.at += timedelta(**amount)


@dataclass(frozen=True)
class Heard:
    """One request that reached the app."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


class PlayedApp:
    """Our role: installs on both pretend stores, hears webhooks, and answers `statuses[path]` (200 unless set)."""

    def __init__(self, world: Sandbox) -> None:
        self.world = world
        self.heard: list[Heard] = []
        self.statuses: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.token: dict[str, Any] = {}
        self.keys: dict[str, Any] = {}
        self.client = Transport(world.address_map, world.ca_pem, is_closed_world=True)
        self.app = Starlette(
            routes=[
                Route("/install/shopify", self._begin),
                Route("/install/shopify/callback", self._finish),
                Route("/{path:path}", self._hear, methods=["GET", "POST"]),
            ]
        )

    def webhooks(self, topic: str) -> list[Heard]:
        names = ("x-shopify-topic", "x-wc-webhook-topic")
        return [one for one in self.heard if topic in [one.headers.get(name) for name in names]]

    def graphql(self, query: str, variables: dict[str, Any] | None = None, token: str | None = None) -> tuple[int, Any]:
        url = "https://demo.myshopify.com/admin/api/2026-10/graphql.json"
        headers = {"x-shopify-access-token": self.token["access_token"] if token is None else token}
        answer = self.client.send("shopify", "test", "POST", url, headers=headers, json={"query": query, "variables": variables or {}})
        return answer.status, json.loads(answer.body)

    def exchange(self, **fields: str) -> tuple[int, dict[str, Any]]:
        body = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"} | fields
        answer = self.client.send("shopify", "token", "POST", "https://demo.myshopify.com/admin/oauth/access_token", json=body)
        return answer.status, json.loads(answer.body)

    def rest(self, method: str, path: str, body: Any = None, **params: str) -> tuple[int, Any, dict[str, str]]:
        auth = (self.keys.get("consumer_key", ""), self.keys.get("consumer_secret", ""))
        url = f"https://boutique.test/wp-json{path}"
        answer = self.client.send("woocommerce", "test", method, url, params=params or None, json=body, auth=auth)
        return answer.status, json.loads(answer.body), dict(answer.headers)

    async def _begin(self, request: Request) -> Response:
        assert is_signed(str(request.url.query))
        query = {"client_id": "sandbox-client-id", "scope": "read_orders,read_products", "state": "nonce-1"}
        query["redirect_uri"] = "https://connector.test/install/shopify/callback"
        return RedirectResponse("https://demo.myshopify.com/admin/oauth/authorize?" + urlencode(query))

    async def _finish(self, request: Request) -> Response:
        if not is_signed(str(request.url.query)) or request.query_params["state"] != "nonce-1":
            return Response("refused", 400)
        status, self.token = await run_in_threadpool(self.exchange, code=request.query_params["code"], expiring="1")
        return Response(f"installed {status}")

    async def _hear(self, request: Request) -> Response:
        body = await request.body()
        self.heard.append(Heard(request.url.path, dict(request.headers), body))
        if request.url.path == "/callback/woocommerce":
            self.keys = json.loads(body)
        if request.url.path in self.redirects:
            return RedirectResponse(self.redirects[request.url.path], 302)
        return Response(f"heard {request.url.path}", self.statuses.get(request.url.path, 200))


def is_signed(query: str, secret: str = "sandbox-client-secret") -> bool:
    """Recompute the query's HMAC from what stands in the address."""
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    given = pairs.pop("hmac", "")
    message = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(pairs.items()))
    return hmac.compare_digest(given, hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest())


@contextmanager
def played(directory: Path, clock: Clock, *, for_people: bool = False) -> Iterator[PlayedApp]:
    """A started sandbox with our played app connected to it."""
    with Sandbox(directory, clock) as world:
        app = PlayedApp(world)
        with LocalServer(app.app, tls=(world.cert_pem, world.key_pem)) as server:
            assert server.https_port is not None
            world.connect_app(server.https_port, server.http_origin if for_people else None)
            try:
                yield app
            finally:
                world.stop()
                app.client.close()


def install_shopify(app: PlayedApp) -> None:
    """Install as a merchant: from the App Store's link through the grant page."""
    browser = app.world.browser()
    grant = browser.open(app.world.shopify.install_url("https://connector.test"))
    done = browser.click(grant, "Install app")
    browser.close()
    assert done.text == "installed 200"


def install_woocommerce(app: PlayedApp, scope: str = "read_write") -> None:
    """Install as a merchant: approve the key grant."""
    browser = app.world.browser()
    query = {"app_name": "Connector", "scope": scope, "user_id": "state-1", "return_url": "https://connector.test/done"}
    query["callback_url"] = "https://connector.test/callback/woocommerce"
    grant = browser.open("https://boutique.test/wc-auth/v1/authorize?" + urlencode(query))
    done = browser.click(grant, "Approve")
    browser.close()
    assert done.url.endswith("/done?success=1&user_id=state-1")


def reset_shopify(app: PlayedApp, clock: Clock) -> None:
    """Install anew; nothing has been heard yet, and it is the same virtual instant as in every test."""
    clock.at = START
    app.statuses.clear()
    install_shopify(app)
    app.world.settle()
    app.heard.clear()


def reset_woocommerce(app: PlayedApp, clock: Clock) -> None:
    """A fresh key, three webhooks and a store without orders that has not been heard yet."""
    clock.at = START
    app.statuses.clear()
    app.world.woocommerce.uninstall()
    refurnish(app.world.woocommerce.store)
    install_woocommerce(app)
    for topic in ("order.created", "order.updated", "order.deleted"):
        subscribe(app, topic)
    app.heard.clear()


def refurnish(store: Store) -> None:
    """The pretend WooCommerce store as it is on its first day."""
    first = Store(store.now)
    for name in ("version", "hpos", "checkout", "home", "active_plugins", "owner_has_rights", "coming_soon", "plugin", "products"):
        setattr(store, name, getattr(first, name))
    for kept in (store.orders, store.sessions, store.customers):
        kept.clear()
    for coupon in store.coupons:
        store.coupons.delete(coupon.id)


def subscribe(app: PlayedApp, topic: str, url: str = f"https://connector.test{WOOCOMMERCE_HOOKS}") -> dict[str, Any]:
    """Create a WooCommerce webhook over REST."""
    status, body, _ = app.rest("POST", "/wc/v3/webhooks", {"topic": topic, "delivery_url": url, "secret": WOOCOMMERCE_SECRET})
    assert status == 201
    webhook: dict[str, Any] = body
    return webhook


def sent(app: PlayedApp, topic: str) -> list[Heard]:
    """What has arrived under a topic once nothing more is due."""
    assert app.world.settle()
    return app.webhooks(topic)


def recorded(name: str) -> dict[str, Any]:
    """A recorded exchange; the directory comes from the environment, because the recordings are not ours to ship."""
    folder = os.environ.get("RECORDED_DIR")
    if not folder:
        pytest.skip("RECORDED_DIR is not set")
    value: dict[str, Any] = json.loads((Path(folder) / name).read_text())
    return value
