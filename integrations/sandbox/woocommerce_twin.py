"""
A pretend WooCommerce store, https://boutique.test: key grant, REST v3, webhooks, pages, and a shopper's actions as methods.

Serve `app` over https for programs and over http for people. Every method may be called from any thread.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.applications import Starlette

from integrations.sandbox.delivery import DeliveryMachine, Outgoing
from integrations.sandbox.faults import ANSWERS, Faults
from integrations.sandbox.spoilt import SpoiltApi
from integrations.sandbox.woocommerce_auth import KeyGrant
from integrations.sandbox.woocommerce_capture import TOPIC
from integrations.sandbox.woocommerce_coupon_desk import CouponDesk
from integrations.sandbox.woocommerce_faults import DIALECT
from integrations.sandbox.woocommerce_hooks import Hooks
from integrations.sandbox.woocommerce_keys import KeyCheck
from integrations.sandbox.woocommerce_link import link_of
from integrations.sandbox.woocommerce_merchant import MerchantActions
from integrations.sandbox.woocommerce_pages import StorePages
from integrations.sandbox.woocommerce_plugin import PluginDesk
from integrations.sandbox.woocommerce_records import Records
from integrations.sandbox.woocommerce_rest import Rest
from integrations.sandbox.woocommerce_store import HOST, ORIGIN, Store
from integrations.sandbox.woocommerce_storeapi import StoreApi
from integrations.sandbox.woocommerce_visibility import Visibility


class WooCommerceTwin(MerchantActions):
    """
    The store, its shoppers and its merchant; the actions are StoreActions' and MerchantActions' methods.

    `deliveries` carries its webhooks (and has their faults), `faults` spoils its API, `store` is its memory and settings, `coupons`
    the merchant's hands on coupons, `watch` the companion plugin's eyes, `keys` looks at the keys of each call.
    """

    domain = HOST
    origin = ORIGIN

    def __init__(
        self,
        now: Callable[[], datetime],
        outgoing: Outgoing,
        *,
        for_people: Callable[[str], str] = str,
        seed: int = 0,
        timeout: float = 10.0,
    ) -> None:
        store = Store(now)
        hooks = Hooks(store, now, outgoing, seed, timeout)
        super().__init__(store, hooks.fire)
        self.faults = Faults(ANSWERS)
        self.deliveries: DeliveryMachine = hooks.deliveries
        self.keys = KeyCheck(store)
        self.coupons = CouponDesk(store.coupons, hooks.fire, ORIGIN)
        hooks.payloads |= {TOPIC: self._cart_payload, "coupon": lambda number: self.coupons.payload(int(number))}
        others = [*Records(store, self).endpoints(), *self.coupons.endpoints(), *Visibility(store).endpoints()]
        rest = Rest(store, self.keys, hooks.ping, others, PluginDesk(store, self.watch).endpoints())
        grant = KeyGrant(store, outgoing, for_people)
        routes = [*StoreApi(store, self).routes(), *rest.routes(), *grant.routes(), *StorePages(store, self).routes()]
        self.app = SpoiltApi(Starlette(routes=routes), self.faults, DIALECT)

    def close(self) -> None:
        """Stop sending."""
        self.deliveries.close()

    @property
    def plugin(self) -> bool:
        """Whether the companion plugin is switched on; may be set."""
        return self.store.plugin.is_active

    @plugin.setter
    def plugin(self, is_on: bool) -> None:
        """Switch the companion plugin on or off."""
        with self.store.lock:
            self.store.plugin.is_active = is_on

    def restore_url(self, token: str) -> str:
        """The signed link back to a cart of the plugin. Raises Refused if the plugin has no key."""
        return link_of(self.store.plugin.link_key, token, self.store.now(), self.store.home)

    def token_of(self, session_key: str) -> str:
        """The name of the plugin's cart of a session; empty before the checkout page was opened and after an order."""
        return self.store.sessions[session_key].token

    def _cart_payload(self, token: int | str) -> dict[str, Any]:
        """The plugin fills its topic's body when it leaves; while the plugin is off WooCommerce sends the bare action."""
        with self.store.lock:
            cart = self.store.plugin.carts.get(str(token))
            if cart is None or not self.plugin:
                return {"action": TOPIC.partition(".")[2], "arg": token}
            return self.watch.snapshot(cart)

    def uninstall(self) -> None:
        """The merchant revokes the key and deletes the webhooks; nothing is sent about it."""
        with self.store.lock:
            self.store.keys.clear()
            self.store.webhooks.clear()

    def payment_url(self, order_id: int) -> str:
        """The address of the page that takes the payment of an order or draft."""
        return self.origin + self.store.find_order(order_id).pay_path
