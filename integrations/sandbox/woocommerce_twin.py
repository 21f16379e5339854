"""
A pretend WooCommerce store, https://boutique.test: key grant, REST v3, webhooks, pages, and a shopper's actions as methods.

Serve `app` over https for programs and over http for people. Every method may be called from any thread.
"""

from collections.abc import Callable
from datetime import datetime

from starlette.applications import Starlette

from integrations.sandbox.delivery import DeliveryMachine, Outgoing
from integrations.sandbox.faults import ANSWERS, Faults
from integrations.sandbox.spoilt import SpoiltApi
from integrations.sandbox.woocommerce_actions import StoreActions
from integrations.sandbox.woocommerce_auth import KeyGrant
from integrations.sandbox.woocommerce_faults import DIALECT
from integrations.sandbox.woocommerce_hooks import Hooks
from integrations.sandbox.woocommerce_pages import StorePages
from integrations.sandbox.woocommerce_rest import Rest
from integrations.sandbox.woocommerce_store import HOST, ORIGIN, Store


class WooCommerceTwin(StoreActions):
    """
    The store and its shoppers; the actions are StoreActions' methods.

    `deliveries` carries its webhooks (and has their faults), `faults` spoils its API, `store` is its memory.
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
        grant = KeyGrant(store, outgoing, for_people)
        routes = [*Rest(store, hooks.ping).routes(), *grant.routes(), *StorePages(store, self).routes()]
        self.app = SpoiltApi(Starlette(routes=routes), self.faults, DIALECT)

    def close(self) -> None:
        """Stop sending."""
        self.deliveries.close()

    def uninstall(self) -> None:
        """The merchant revokes the key and deletes the webhooks; nothing is sent about it."""
        with self.store.lock:
            self.store.keys.clear()
            self.store.webhooks.clear()

    def payment_url(self, order_id: int) -> str:
        """The address of the page that takes the payment of an order or draft."""
        return self.origin + self.store.find_order(order_id).pay_path
