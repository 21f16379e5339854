"""A store kept in memory that can be connected, and what connects it."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from connector.config import Settings
from connector.platforms import Callback, Installation
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform

REST = Path(__file__).parents[1] / "payloads" / "woocommerce" / "rest"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STATE = "s7ate_one-time"
CALLBACK = "https://connector.example/install/woocommerce/callback"
RETURN = "https://connector.example/install/woocommerce/return"
KEY, SECRET = "ck_" + "0a" * 20, "cs_" + "1b" * 20
GRANT: dict[str, Any] = {
    "key_id": 3,
    "user_id": STATE,
    "consumer_key": KEY,
    "consumer_secret": SECRET,
    "key_permissions": "read_write",
}
STATUS, GENERAL, INDEX = "/wp-json/wc/v3/system_status", "/wp-json/wc/v3/settings/general", "/wp-json/"
WRITE = "/wp-json/wc/v3/coupons/batch"
NO = {"code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot list resources.", "data": {"status": 401}}
READ_ONLY = {
    "code": "woocommerce_rest_authentication_error",
    "message": "The API key provided does not have write permissions.",
    "data": {"status": 401},
}


class Store:
    """A store that answers what an install asks; paths may be made to fail, fields to differ, keys to be taken in fewer ways."""

    def __init__(self, *ways: str) -> None:
        self.ways = ways or ("header", "query")
        self.keys = (KEY, SECRET)
        self.failing: dict[str, httpx2.Response] = {}
        files = {INDEX: "index", STATUS: "system_status", GENERAL: "settings_general"}
        files |= {f"/wp-json/wc/v3/settings/{name}": f"settings_{name}" for name in ("tax", "email")}
        self.bodies: dict[str, Any] = {path: json.loads((REST / f"{name}.json").read_bytes()) for path, name in files.items()}
        self.bodies[WRITE] = []
        self.hosts: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.hosts.add(request.url.host)
        self.requests.append(request)
        path, way = request.url.path.removeprefix("/boutique"), self.way(request)
        self.asked.append((request.method, path, way))
        if path in self.failing:
            return self.failing[path]
        if path.startswith("/wp-json/wc/") and way not in self.ways:
            return httpx2.Response(401, json=NO)
        if path not in self.bodies:
            return httpx2.Response(404, json={"code": "rest_no_route", "message": "No route was found.", "data": {"status": 404}})
        return httpx2.Response(200, json=self.bodies[path])

    def way(self, request: httpx2.Request) -> str:
        """How the right keys came; "" if they did not."""
        params, header = request.url.params, request.headers.get("authorization", "")
        if request.url.scheme == "http":
            return "oauth" if params.get("oauth_consumer_key") == self.keys[0] and params.get("oauth_signature") else ""
        if header == "Basic " + base64.b64encode(":".join(self.keys).encode()).decode():
            return "header"
        return "query" if (params.get("consumer_key"), params.get("consumer_secret")) == self.keys else ""


def adapter(store: Store | None = None, **settings: Any) -> WooCommercePlatform:
    """In a sandbox, two names are led to this machine."""
    is_sandbox = bool(settings.get("sandbox"))
    led = {"galets.example": "127.0.0.1:1", "shop.test": "127.0.0.1:2"} if is_sandbox else {}
    transport = Transport(led, inner=httpx2.MockTransport(store or Store()), is_closed_world=is_sandbox)
    return WooCommercePlatform(transport, Settings(_env_file=None, **settings))


def finish(store: Store, domain: str = "galets.example", state: str = STATE, body: bytes | None = None, **grant: Any) -> Installation:
    """Post a grant for a store that was remembered."""
    raw = json.dumps({**GRANT, **grant}).encode() if body is None else body
    return adapter(store).finish_install(Callback((), raw), {"domain": domain}, state, CALLBACK, NOW)


def paste(store: Store, address: str = "galets.example", key: str = KEY, secret: str = SECRET, **settings: Any) -> Installation:
    """Paste keys."""
    installer = adapter(store, **settings).key_install
    assert installer is not None
    return installer.install_by_keys(address, key, secret)
