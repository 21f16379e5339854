"""A WooCommerce store kept in memory for the connection doctor, in which all is well until a test says otherwise."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx2

from connector import clock
from connector.checkups import Check, Verdict
from connector.config import Settings
from connector.platforms import Access
from connector.web.merchant.check_phrases import PHRASES
from integrations.transport import Transport
from integrations.woocommerce import companion
from integrations.woocommerce.checkup import WooCheckup
from integrations.woocommerce.subscriptions import TOPICS

KEYS = {"consumer_key": "ck_" + "0a" * 20, "consumer_secret": "cs_" + "1b" * 20}
WHERE = "https://connector.test/webhooks/woocommerce/key"
DEAD = {"code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot list resources.", "data": {"status": 401}}
Answers = Callable[[httpx2.Request], httpx2.Response]


def rest_error(code: str, message: str, status: int) -> httpx2.Response:
    return httpx2.Response(status, json={"code": code, "message": message, "data": {"status": status}})


def page(status: int, text: str = "<html>…</html>", **headers: str) -> Answers:
    return lambda _: httpx2.Response(status, html=text, headers={name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class Store:
    """A store where all is well, until a test says otherwise. `instead` answers in place of what stands at a path."""

    version: str = "10.5.0"
    wordpress: str = "6.9.7"
    php: str = "8.2.29"
    home: str = "https://galets.example"
    cron: bool = True
    hpos: Any = True
    blocks: tuple[bool, bool] = (True, False)
    plugins: tuple[str, ...] = ("woocommerce/woocommerce.php", "connector-carts/connector-carts.php")
    status: dict[str, Any] | None = field(default_factory=dict)
    webhooks: list[dict[str, Any]] = field(
        default_factory=lambda: [{"id": n, "topic": t, "status": "active", "delivery_url": WHERE} for n, t in enumerate(TOPICS, 1)]
    )
    core_mail: dict[str, str] = field(default_factory=dict)
    ahead: timedelta = timedelta()
    is_stripped: bool = False
    instead: dict[str, Answers] = field(default_factory=dict)
    asked: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        path = request.url.path
        for begins, answer in self.instead.items():
            if path.startswith(begins):
                return answer(request)
        if not self.knows(request):
            return httpx2.Response(401, json=DEAD)
        if path == "/wp-json/wc/v3/system_status":
            return httpx2.Response(200, json=self.system(), headers={"date": format_datetime(clock.now() + self.ahead, usegmt=True)})
        if path == "/wp-json/wc/v3/coupons/batch" and request.method == "POST":
            return httpx2.Response(200, json={})
        if path == "/wp-json/wc/v3/webhooks":
            return httpx2.Response(200, json=self.webhooks)
        if path == "/wp-json/wc-connector/v1/status" and self.status is not None:
            return httpx2.Response(200, json=self.told() | self.status)
        if path.endswith("settings/email_customer_abandoned_cart_recovery") and self.core_mail:
            return httpx2.Response(200, json=[{"id": name, "value": value} for name, value in self.core_mail.items()])
        return rest_error("rest_no_route", "No route was found matching the URL and request method.", 404)

    def knows(self, request: httpx2.Request) -> bool:
        given = request.headers.get("authorization", "") if not self.is_stripped else ""
        expected = "Basic " + base64.b64encode(":".join(KEYS.values()).encode()).decode()
        by_query = (request.url.params.get("consumer_key"), request.url.params.get("consumer_secret")) == tuple(KEYS.values())
        return given == expected or by_query

    def system(self) -> dict[str, Any]:
        block, classic = self.blocks
        versions = {"version": self.version, "wp_version": self.wordpress, "php_version": self.php}
        checkout = {"page_name": "Commande", "block": "woocommerce/checkout", "block_present": block, "shortcode_present": classic}
        return {
            "environment": {"home_url": self.home, "site_url": self.home, "wp_cron": self.cron, **versions},
            "settings": {"HPOS_enabled": self.hpos, "currency": "EUR"},
            "active_plugins": [{"plugin": one, "name": one} for one in self.plugins],
            "pages": [{"page_name": "Panier", "block": "woocommerce/cart", "block_present": True}, checkout],
        }

    def told(self) -> dict[str, Any]:
        """What our plugin says while all is well."""
        cron = {"disabled": False, "oldest_due_seconds": 20, "last_run": ""}
        webhook = {"status": "active", "last_success": "", "failures": 0}
        facts = {"plugin": companion.own_version() or "1.0.0", "home": self.home, "moved": False, "hpos": True, "checkout": "block"}
        more = {"clock": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"), "capture": "everyone", "mailers": [], "open_carts": 3}
        return {**facts, **more, "cron": cron, "webhook": webhook}

    def without_plugin(self) -> "Store":
        self.status, self.plugins = None, ("woocommerce/woocommerce.php",)
        return self


def examine(store: Store, **credentials: str) -> dict[str, Check]:
    transport = Transport(inner=httpx2.MockTransport(store))
    access = Access(7, "galets.example", {**KEYS, **credentials})
    found = WooCheckup(transport, Settings(_env_file=None)).examine(access, WHERE)
    assert len({one.code for one in found}) == len(found)
    secrets = [value for value in KEYS.values() if value in repr(found)]
    assert secrets == [], "no key is in what is shown"
    unworded = [one for one in found if one.verdict is not Verdict.UNKNOWN and (one.code, one.cause) not in PHRASES]
    assert unworded == [], "pages have words for it"
    cureless = [one for one in found if one.verdict in (Verdict.BAD, Verdict.ATTENTION) and not PHRASES[one.code, one.cause].cure]
    assert cureless == [], "pages say what helps"
    return {one.code: one for one in found}


def told(check: Check) -> tuple[Verdict, str]:
    return check.verdict, check.cause


GOOD, LOOK, BAD, UNKNOWN = Verdict.GOOD, Verdict.ATTENTION, Verdict.BAD, Verdict.UNKNOWN
