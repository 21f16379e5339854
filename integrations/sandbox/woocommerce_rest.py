"""The pretend WooCommerce's REST API v3: the list of routes, what the store says about itself, and webhooks."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response
from starlette.routing import Route

from integrations.sandbox.web import Call, route
from integrations.sandbox.woocommerce_answers import answer, error, paged
from integrations.sandbox.woocommerce_bodies import HOOKS, webhook_json
from integrations.sandbox.woocommerce_keys import KeyCheck
from integrations.sandbox.woocommerce_store import Store, Webhook

API = "/wp-json/wc/v3"
STORAGES = {
    True: "Automattic\\WooCommerce\\Internal\\DataStores\\Orders\\OrdersTableDataStore",
    False: "WC_Order_Data_Store_CPT",
}
PAGES = ((7, "Shop base", "shop", "", ""), (8, "Cart", "cart", "woocommerce_cart", "woocommerce/cart"))
Endpoint = tuple[str, Callable[[Call], Response], str]


@dataclass(frozen=True, slots=True)
class Rest:
    """
    Endpoints over one store behind its keys. `ping` greets a new webhook address; `others` are routes that others answer.

    `plugin_routes` are there only while the plugin is on.
    """

    store: Store
    keys: KeyCheck
    ping: Callable[[Webhook], bool]
    others: Sequence[Endpoint] = ()
    plugin_routes: Sequence[Endpoint] = ()

    def routes(self) -> list[Route]:
        """All routes below /wp-json."""
        own: Sequence[Endpoint] = (
            (f"{API}/system_status", self._system_status, "GET"),
            (f"{API}/settings/{{group}}", self._settings, "GET"),
            (f"{API}/settings/{{group}}/{{name}}", self._setting, "GET"),
            (f"{API}/webhooks", self._webhooks, "GET POST"),
            (f"{API}/webhooks/{{id:int}}", self._webhook, "GET PUT POST DELETE"),
        )
        served = [route(path, self.keys.guard(handler), methods) for path, handler, methods in (*own, *self.others)]
        plugged = [route(path, self._while_on(self.keys.guard(handler)), methods) for path, handler, methods in self.plugin_routes]
        last = route("/wp-json/{path:path}", self._no_route, "GET POST PUT PATCH DELETE")
        return [route("/wp-json/", self._index), *served, *plugged, last]

    def _while_on(self, handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
        return lambda call: handler(call) if self.store.plugin.is_active else self._no_route(call)

    def _index(self, call: Call) -> Response:
        offset = self.store.now().astimezone(ZoneInfo(self.store.timezone)).utcoffset()
        return answer(
            {
                "name": self.store.name,
                "description": "",
                "url": self.store.home,
                "home": self.store.home,
                "gmt_offset": offset.total_seconds() / 3600 if offset else 0,
                "timezone_string": self.store.timezone,
                "namespaces": ["wc/v3", "wc/store/v1", "wp/v2", *(["wc-connector/v1"] if self.store.plugin.is_active else [])],
            }
        )

    def _system_status(self, call: Call) -> Response:
        """Environment, plugins, settings and pages; the rest of the real report is left out."""
        store = self.store
        environment = {
            "home_url": store.home,
            "site_url": store.home,
            "store_id": None,
            "version": store.version,
            "wp_version": store.wordpress,
            "wp_multisite": False,
            "wp_memory_limit": 268_435_456,
            "wp_debug_mode": False,
            "wp_cron": True,
            "language": store.locale,
            "external_object_cache": None,
            "server_info": "nginx/1.22.1",
            "php_version": "8.2.30",
        }
        settings = {
            "api_enabled": False,
            "force_ssl": False,
            "currency": store.currency,
            "currency_symbol": "&euro;",
            "number_of_decimals": 2,
            "HPOS_enabled": store.hpos,
            "order_datastore": STORAGES[store.hpos],
            "HPOS_sync_enabled": False,
        }
        security = {"secure_connection": store.home.startswith("https://"), "hide_errors": True}
        report = {"environment": environment, "active_plugins": self._plugins(), "inactive_plugins": [], "settings": settings}
        return answer(report | {"security": security, "pages": self._pages()})

    def _plugins(self) -> list[dict[str, Any]]:
        """WooCommerce itself, ours while it is on, and whatever else was said to run, by file name."""
        own = ("connector-carts/connector-carts.php",) if self.store.plugin.is_active else ()
        names = {"woocommerce/woocommerce.php": self.store.version, **dict.fromkeys(own, self.store.plugin.version)}
        names |= dict.fromkeys(self.store.active_plugins, "1.0.0")
        return [
            {
                "plugin": file,
                "name": file.partition("/")[0].replace("-", " ").title(),
                "version": version,
                "version_latest": version,
                "url": "",
                "author_name": "",
                "author_url": "",
                "network_activated": False,
            }
            for file, version in names.items()
        ]

    def _pages(self) -> list[dict[str, Any]]:
        is_block = self.store.checkout == "block"
        checkout = (9, "Checkout", "checkout", "woocommerce_checkout", "woocommerce/checkout")
        return [
            {
                "page_name": name,
                "page_id": str(number),
                "page_set": True,
                "page_exists": True,
                "page_visible": True,
                "shortcode": f"[{shortcode}]" if shortcode else "",
                "block": block,
                "shortcode_required": bool(shortcode),
                "shortcode_present": bool(shortcode) and not is_block,
                "block_present": bool(block) and is_block,
                "block_required": bool(block),
            }
            for number, name, _, shortcode, block in (*PAGES, checkout)
        ]

    def _settings(self, call: Call) -> Response:
        group = self._group(call.parts["group"])
        return answer(group) if group else error("rest_setting_setting_group_invalid", "Invalid setting group.", 404)

    def _setting(self, call: Call) -> Response:
        found = [one for one in self._group(call.parts["group"]) if one["id"] == call.parts["name"]]
        return answer(found[0]) if found else error("rest_setting_setting_invalid", "Invalid setting.", 404)

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

    def _webhooks(self, call: Call) -> Response:
        if call.method == "POST":
            return self._subscribe(call)
        with self.store.lock:
            return paged(call, [webhook_json(self.store, one) for one in self.store.webhooks.values()])

    def _subscribe(self, call: Call) -> Response:
        """Create a webhook; its address is greeted before this answer goes out, whatever it says."""
        fields = call.fields()
        topic, url = fields.get("topic", ""), fields.get("delivery_url", "")
        if not _is_topic(topic):
            return error("woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic is required and must be valid.", 400)
        if not url.startswith(("http://", "https://")):
            words = "Webhook delivery URL must be a valid URL starting with http:// or https://."
            return error("woocommerce_rest_shop_webhook_invalid_delivery_url", words, 400)
        with self.store.lock:
            number = next(self.store.numbers)
            name = fields.get("name") or f"Webhook {topic}"
            webhook = Webhook(number, name, topic, url, fields.get("secret") or secrets.token_urlsafe(36), self.store.now())
            self.store.webhooks[number] = webhook
        self.ping(webhook)
        return answer(webhook_json(self.store, webhook), 201)

    def _webhook(self, call: Call) -> Response:
        with self.store.lock:
            webhook = self.store.webhooks.get(int(call.parts["id"]))
            if webhook is None:
                return error("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
            if call.method == "DELETE":
                if call.query.get("force") != "true":
                    return error("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
                del self.store.webhooks[webhook.id]
            moved = call.method in {"PUT", "POST"} and self._change(webhook, call.fields())
        if moved:
            self.ping(webhook)
        return answer(webhook_json(self.store, webhook))

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
        return error("rest_no_route", "No route was found matching the URL and request method.", 404)


def _is_topic(topic: str) -> bool:
    return topic.lower() in HOOKS or topic.startswith(("action.woocommerce_", "action.wc_"))  # in capitals: taken, and dead
