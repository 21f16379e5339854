"""The pretend WooCommerce's REST API v3: keys over https only, paging, the real rules of `modified_after`, the recorded errors."""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response
from starlette.routing import Route

from integrations.sandbox.web import Call, route
from integrations.sandbox.woocommerce_bodies import (
    HOOKS,
    ORDER_GONE,
    customer_json,
    encode,
    order_json,
    product_json,
    variation_json,
    webhook_json,
)
from integrations.sandbox.woocommerce_store import ORIGIN, VERSION, Order, Store, Webhook

STATUSES = (
    "any",
    "trash",
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
)
API = "/wp-json/wc/v3"


@dataclass(frozen=True, slots=True)
class Rest:
    """Endpoints over one store. `ping` greets a new webhook address."""

    store: Store
    ping: Callable[[Webhook], bool]

    def routes(self) -> list[Route]:
        """All routes below /wp-json."""
        return [
            route("/wp-json/", self._index),
            route(f"{API}/system_status", self._guard(self._system_status)),
            route(f"{API}/settings/{{group}}", self._guard(self._settings)),
            route(f"{API}/settings/{{group}}/{{name}}", self._guard(self._setting)),
            route(f"{API}/products", self._guard(self._products)),
            route(f"{API}/products/{{id:int}}", self._guard(self._product)),
            route(f"{API}/products/{{id:int}}/variations", self._guard(self._variations)),
            route(f"{API}/orders", self._guard(self._orders)),
            route(f"{API}/orders/{{id:int}}", self._guard(self._order)),
            route(f"{API}/customers", self._guard(self._customers)),
            route(f"{API}/customers/{{id:int}}", self._guard(self._customer)),
            route(f"{API}/webhooks", self._guard(self._webhooks), "GET POST"),
            route(f"{API}/webhooks/{{id:int}}", self._guard(self._webhook), "GET PUT POST DELETE"),
            route("/wp-json/{path:path}", self._no_route, "GET POST PUT DELETE"),
        ]

    def _guard(self, handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
        def guarded(call: Call) -> Response:
            refusal = self._refusal(call)
            return handler(call) if refusal is None else refusal

        return guarded

    def _refusal(self, call: Call) -> Response | None:
        """None if the call carries a living key with the right permission; over plain http keys are not looked at."""
        name, secret = _credentials(call) if call.scheme == "https" else ("", "")
        with self.store.lock:
            key = next((one for one in self.store.keys.values() if one.key == name), None)
        if key is None:
            return _error("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401)
        if not secrets.compare_digest(key.secret.encode(), secret.encode()):
            return _error("woocommerce_rest_authentication_error", "Consumer secret is invalid.", 401)
        needed = "read" if call.method == "GET" else "write"
        if needed not in key.permissions:
            return _error("woocommerce_rest_authentication_error", f"The API key provided does not have {needed} permissions.", 401)
        return None

    def _index(self, call: Call) -> Response:
        offset = self.store.now().astimezone(ZoneInfo(self.store.timezone)).utcoffset()
        return _answer(
            {
                "name": self.store.name,
                "description": "",
                "url": ORIGIN,
                "home": ORIGIN,
                "gmt_offset": offset.total_seconds() / 3600 if offset else 0,
                "timezone_string": self.store.timezone,
                "namespaces": ["wc/v3", "wc/store/v1", "wp/v2"],
            }
        )

    def _system_status(self, call: Call) -> Response:
        environment = {"home_url": ORIGIN, "site_url": ORIGIN, "version": VERSION, "wp_version": "6.9.7", "language": "fr_FR"}
        settings = {"currency": self.store.currency, "currency_symbol": "&euro;", "HPOS_enabled": True, "order_datastore": "HPOS"}
        return _answer({"environment": environment, "settings": settings, "active_plugins": [], "security": {"secure_connection": True}})

    def _settings(self, call: Call) -> Response:
        group = self._group(call.parts["group"])
        return _answer(group) if group else _error("rest_setting_setting_group_invalid", "Invalid setting group.", 404)

    def _setting(self, call: Call) -> Response:
        found = [one for one in self._group(call.parts["group"]) if one["id"] == call.parts["name"]]
        return _answer(found[0]) if found else _error("rest_setting_setting_invalid", "Invalid setting.", 404)

    def _group(self, group: str) -> list[dict[str, Any]]:
        values = {
            "general": {
                "woocommerce_store_address": "3 quai du Port",
                "woocommerce_store_address_2": "",
                "woocommerce_store_city": "Marseille",
                "woocommerce_default_country": "FR",
                "woocommerce_store_postcode": "13002",
                "woocommerce_calc_taxes": "yes",
                "woocommerce_currency": self.store.currency,
                "woocommerce_currency_pos": "right_space",
                "woocommerce_price_num_decimals": "2",
            },
            "tax": {
                "woocommerce_prices_include_tax": "yes",
                "woocommerce_tax_based_on": "shipping",
                "woocommerce_tax_display_shop": "incl",
                "woocommerce_tax_display_cart": "incl",
            },
            "email": {
                "woocommerce_email_from_name": self.store.name,
                "woocommerce_email_from_address": "bonjour@boutique.test",
            },
        }.get(group, {})
        return [
            {"id": key, "label": key, "type": "text", "default": "", "value": value, "group_id": group} for key, value in values.items()
        ]

    def _products(self, call: Call) -> Response:
        wanted = {int(part) for part in call.query.get("include", "").split(",") if part.strip().isdigit()}
        products = [one for one in self.store.products.values() if not wanted or one.id in wanted]
        return _paged(call, [product_json(self.store, one) for one in products])

    def _product(self, call: Call) -> Response:
        product = self.store.products.get(int(call.parts["id"]))
        return _answer(product_json(self.store, product)) if product else _error("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)

    def _variations(self, call: Call) -> Response:
        product = self.store.products.get(int(call.parts["id"]))
        if product is None:
            return _error("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
        return _paged(call, [variation_json(self.store, product, one) for one in product.variations])

    def _orders(self, call: Call) -> Response:
        wanted = set(call.query.get("status", "any").split(","))
        if not wanted <= set(STATUSES):
            return _bad_parameter("status", f"status[0] is not one of {', '.join(STATUSES)}.")
        with self.store.lock:
            orders = [one for one in self.store.orders.values() if one.status in wanted or ("any" in wanted and one.status != "trash")]
            if "include" in call.query:
                orders = [one for one in orders if str(one.id) in call.query["include"].split(",")]
            if "modified_after" in call.query:
                after = _moment(call.query["modified_after"])
                if after is None:
                    return _bad_parameter("modified_after", "Invalid date.")
                is_gmt = call.query.get("dates_are_gmt") in {"true", "1"}
                orders = [one for one in orders if self._wall_clock(one, is_gmt) > self._bound(after)]
            by_time = call.query.get("orderby") == "modified"
            orders.sort(key=lambda one: (one.modified_at.replace(microsecond=0) if by_time else one.created_at, one.id))
            if call.query.get("order", "desc") == "desc":
                orders.reverse()
            return _paged(call, [order_json(self.store, one) for one in orders])

    def _wall_clock(self, order: Order, is_gmt: bool) -> datetime:
        """When the order changed, without zone and fraction: in UTC with `dates_are_gmt`, else in site time."""
        zone = UTC if is_gmt else ZoneInfo(self.store.timezone)
        return order.modified_at.astimezone(zone).replace(tzinfo=None, microsecond=0)

    def _bound(self, after: datetime) -> datetime:
        """The asked instant without zone. One that names its zone becomes site time, even together with `dates_are_gmt`."""
        local = after.astimezone(ZoneInfo(self.store.timezone)) if after.tzinfo else after
        return local.replace(tzinfo=None, microsecond=0)

    def _order(self, call: Call) -> Response:
        with self.store.lock:
            order = self.store.orders.get(int(call.parts["id"]))
            return _answer(order_json(self.store, order)) if order else _answer(ORDER_GONE, 404)

    def _customers(self, call: Call) -> Response:
        with self.store.lock:
            return _paged(call, [customer_json(self.store, one) for one in self.store.customers.values()])

    def _customer(self, call: Call) -> Response:
        with self.store.lock:
            customer = self.store.customers.get(int(call.parts["id"]))
            return _answer(customer_json(self.store, customer)) if customer else _error("wc_user_invalid_id", "Invalid user ID.", 404)

    def _webhooks(self, call: Call) -> Response:
        if call.method == "POST":
            return self._subscribe(call)
        with self.store.lock:
            return _paged(call, [webhook_json(self.store, one) for one in self.store.webhooks.values()])

    def _subscribe(self, call: Call) -> Response:
        """Create a webhook; its address is greeted before this answer goes out, whatever it says."""
        fields = call.fields()
        topic, url = fields.get("topic", ""), fields.get("delivery_url", "")
        if not _is_topic(topic):
            return _error("woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic is required and must be valid.", 400)
        if not url.startswith(("http://", "https://")):
            words = "Webhook delivery URL must be a valid URL starting with http:// or https://."
            return _error("woocommerce_rest_shop_webhook_invalid_delivery_url", words, 400)
        with self.store.lock:
            number = next(self.store.numbers)
            name = fields.get("name") or f"Webhook {topic}"
            webhook = Webhook(number, name, topic, url, fields.get("secret") or secrets.token_urlsafe(36), self.store.now())
            self.store.webhooks[number] = webhook
        self.ping(webhook)
        return _answer(webhook_json(self.store, webhook), 201)

    def _webhook(self, call: Call) -> Response:
        with self.store.lock:
            webhook = self.store.webhooks.get(int(call.parts["id"]))
            if webhook is None:
                return _error("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
            if call.method == "DELETE":
                if call.query.get("force") != "true":
                    return _error("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
                del self.store.webhooks[webhook.id]
            moved = call.method in {"PUT", "POST"} and self._change(webhook, call.fields())
        if moved:
            self.ping(webhook)
        return _answer(webhook_json(self.store, webhook))

    def _change(self, webhook: Webhook, fields: dict[str, str]) -> bool:
        """Apply an edit; True if the address changed. Switching on again keeps the failure count, as WooCommerce does."""
        former = webhook.delivery_url
        webhook.name = fields.get("name", webhook.name)
        webhook.status = fields.get("status", webhook.status)
        webhook.topic = fields.get("topic", webhook.topic)
        webhook.secret = fields.get("secret", webhook.secret)
        webhook.delivery_url = fields.get("delivery_url", webhook.delivery_url)
        webhook.modified_at = self.store.now()
        return webhook.delivery_url != former

    def _no_route(self, call: Call) -> Response:
        return _error("rest_no_route", "No route was found matching the URL and request method.", 404)


def _answer(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json; charset=UTF-8")


def _error(code: str, message: str, status: int) -> Response:
    return _answer({"code": code, "message": message, "data": {"status": status}}, status)


def _bad_parameter(name: str, words: str) -> Response:
    data = {"status": 400, "params": {name: words}, "details": {name: {"code": "rest_invalid_param", "message": words, "data": None}}}
    return _answer({"code": "rest_invalid_param", "message": f"Invalid parameter(s): {name}", "data": data}, 400)


def _paged(call: Call, records: Sequence[dict[str, Any]]) -> Response:
    """One page with its totals in headers; past the end both totals are 0, as with the current order storage."""
    size, number = call.query.get("per_page", "10"), call.query.get("page", "1")
    if not size.isdigit() or not 1 <= int(size) <= 100:
        return _bad_parameter("per_page", "per_page must be between 1 (inclusive) and 100 (inclusive)")
    if not number.isdigit() or int(number) < 1:
        return _bad_parameter("page", "page must be greater than or equal to 1")
    start = (int(number) - 1) * int(size)
    page = records[start : start + int(size)]
    total = len(records) if page or not start else 0
    answer = _answer(list(page))
    answer.headers["X-WP-Total"] = str(total)
    answer.headers["X-WP-TotalPages"] = str(-(-total // int(size)))
    return answer


def _credentials(call: Call) -> tuple[str, str]:
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return call.query.get("consumer_key", ""), call.query.get("consumer_secret", "")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _moment(value: str) -> datetime | None:
    """A date with its time part; None for anything else."""
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _is_topic(topic: str) -> bool:
    return topic in HOOKS or topic.startswith(("action.woocommerce_", "action.wc_"))
