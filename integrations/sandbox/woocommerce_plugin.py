"""The companion plugin's own REST routes on the pretend store: what webhooks lost can be pulled, and how the plugin is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

from starlette.responses import Response

from integrations.sandbox.web import Call
from integrations.sandbox.woocommerce_answers import answer, bad_parameter, error, moment, paged
from integrations.sandbox.woocommerce_capture import TOPIC, CartWatch
from integrations.sandbox.woocommerce_cart import zulu
from integrations.sandbox.woocommerce_store import Store

ROUTES = "/wp-json/wc-connector/v1"
MAILERS = {
    "automatewoo": "automatewoo",
    "woo-cart-abandonment-recovery": "cartflows",
    "klaviyo": "klaviyo",
    "mailchimp-for-woocommerce": "mailchimp",
    "mailpoet": "mailpoet",
    "omnisend-connect": "omnisend",
    "retainful-next-order-coupon-for-woocommerce": "retainful",
    "woocommerce-abandoned-cart": "tyche",
}
Endpoint = tuple[str, Callable[[Call], Response], str]


@dataclass(frozen=True, slots=True)
class PluginDesk:
    """Carts that changed, one cart, and the plugin's state."""

    store: Store
    watch: CartWatch

    def endpoints(self) -> Sequence[Endpoint]:
        """Path, handler and methods; whoever serves them looks at the keys and whether the plugin is on."""
        return (
            (f"{ROUTES}/carts", self._carts, "GET"),
            (f"{ROUTES}/carts/{{token}}", self._cart, "GET"),
            (f"{ROUTES}/status", self._status, "GET"),
        )

    def _carts(self, call: Call) -> Response:
        """Changed at or after `modified_after` (UTC with or without Z), oldest change first."""
        with self.store.lock:
            found = list(self.store.plugin.carts.values())
            if "modified_after" in call.query:
                asked = moment(call.query["modified_after"])
                if asked is None:
                    return bad_parameter("modified_after", "Invalid date.", "rest_invalid_date")
                since = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
                found = [one for one in found if one.updated_at.replace(microsecond=0) >= since.replace(microsecond=0)]
            found.sort(key=lambda one: (one.updated_at.replace(microsecond=0), one.token))
            return paged(call, [self.watch.snapshot(one) for one in found])

    def _cart(self, call: Call) -> Response:
        with self.store.lock:
            cart = self.store.plugin.carts.get(call.parts["token"])
            if cart is None:
                return error("connector_no_such_cart", "No cart has this token.", 404)
            return answer(self.watch.snapshot(cart))

    def _status(self, call: Call) -> Response:
        store, plugin = self.store, self.store.plugin
        with store.lock:
            hook = next((one for one in store.webhooks.values() if one.topic == TOPIC), None)
            last = zulu(hook.last_success_at) if hook and hook.last_success_at else ""
            webhook = {"status": hook.status if hook else "none", "last_success": last, "failures": hook.failures if hook else 0}
            mailers = [name for file in store.active_plugins if (name := MAILERS.get(file.partition("/")[0]))]
            return answer(
                {
                    "plugin": plugin.version,
                    "woocommerce": store.version,
                    "wordpress": store.wordpress,
                    "php": "8.2.30",
                    "hpos": store.hpos,
                    "checkout": store.checkout,
                    "home": store.home,
                    "moved": plugin.home != store.home,
                    "clock": zulu(store.now()),
                    "cron": {"disabled": False, "oldest_due_seconds": 0, "last_run": zulu(store.now())},
                    "capture": plugin.capture,
                    "webhook": webhook,
                    "mailers": mailers,
                    "open_carts": sum(cart.status == "open" for cart in plugin.carts.values()),
                }
            )
