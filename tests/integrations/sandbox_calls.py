"""Every call that the adapters make today, against the pretend stores: each can be made as often as a test likes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from connector.canonical import Order, Product
from connector.config import Settings
from connector.platforms import Access, Callback, Installation, Platform, Subscriptions
from integrations.registry import make_platforms
from integrations.sandbox.faults import Faults
from integrations.sandbox.shopify_cost import Bucket
from integrations.sandbox.shopify_tokens import signed_query
from integrations.transport import Transport
from tests.integrations.sandbox_app import (
    START,
    WOOCOMMERCE_HOOKS,
    WOOCOMMERCE_SECRET,
    Clock,
    PlayedApp,
    install_shopify,
    install_woocommerce,
    played,
)

SHOPIFY, WOOCOMMERCE = "shopify", "woocommerce"
SCOPES = ("read_customers", "read_orders", "read_products")
CALLS = {
    "shopify install": 2,
    "shopify refresh": 1,
    "shopify products": 1,
    "shopify orders": 1,
    "woocommerce install": 7,
    "woocommerce subscribe": 18,
    "woocommerce heal": 3,
    "woocommerce products": 2,
    "woocommerce orders": 1,
}
"""Each call of an adapter, and how many requests it makes when all goes well."""
REQUESTS = [(name, number) for name, count in CALLS.items() for number in range(count) if name != "woocommerce subscribe" or number < 2]
"""Each request of each call; those that make further webhooks are left out."""


@dataclass
class Calls:
    """Both adapters, connected to stores with a few products and orders."""

    app: PlayedApp
    platforms: dict[str, Platform]
    shopify: Access
    woocommerce: Access
    at: datetime

    def faults(self, name: str) -> Faults:
        """The faults of the store that a call goes to."""
        return self.app.world.shopify.faults if name.startswith(SHOPIFY) else self.app.world.woocommerce.faults

    def stop(self) -> None:
        """All goes well again."""
        self.faults(SHOPIFY).stop()
        self.faults(WOOCOMMERCE).stop()

    def prepare(self, name: str) -> Callable[[], object]:
        """What the call of this name needs beforehand; returns the call."""
        if name == "shopify refresh":
            self.shopify = self._install_shopify()
        if name in ("woocommerce subscribe", "woocommerce heal"):
            self.app.world.woocommerce.store.webhooks.clear()
        if name == "woocommerce heal":
            self.subscribe()
            next(iter(self.app.world.woocommerce.store.webhooks.values())).status = "disabled"
        if name == "shopify install":
            callback = self._shopify_callback()
            return lambda: self._finish_shopify(callback)
        methods: dict[str, Callable[[], object]] = {
            "shopify refresh": self.refresh,
            "shopify products": lambda: self.products(SHOPIFY),
            "shopify orders": lambda: self.orders(SHOPIFY),
            "woocommerce install": self.install_woocommerce,
            "woocommerce subscribe": self.subscribe,
            "woocommerce heal": self.subscribe,
            "woocommerce products": lambda: self.products(WOOCOMMERCE),
            "woocommerce orders": lambda: self.orders(WOOCOMMERCE),
        }
        return methods[name]

    def product_ids(self, platform: str) -> list[str]:
        """All products of a store."""
        store = self.app.world.shopify.shop if platform == SHOPIFY else self.app.world.woocommerce.store
        return [str(number) for number in store.products]

    def products(self, platform: str) -> list[Product]:
        """All products, asked for by id."""
        access = self.shopify if platform == SHOPIFY else self.woocommerce
        return self.platforms[platform].read_products(access, self.product_ids(platform))

    def orders(self, platform: str) -> list[Order]:
        """The orders of the last day."""
        access = self.shopify if platform == SHOPIFY else self.woocommerce
        return self.platforms[platform].read_orders_since(access, self.at - timedelta(days=1))

    def refresh(self) -> object:
        """The next token pair; the held one is kept until the new one has come."""
        old = replace(self.shopify, credentials={**self.shopify.credentials, "expires_at": self.at.isoformat()})
        fresh = self.platforms[SHOPIFY].refresh(old, self.at)
        assert fresh is not None
        self.shopify = replace(self.shopify, credentials=fresh)
        return fresh

    def subscribe(self) -> Subscriptions:
        """All webhooks of the WooCommerce store."""
        return self.platforms[WOOCOMMERCE].subscribe(self.woocommerce, f"https://connector.test{WOOCOMMERCE_HOOKS}", WOOCOMMERCE_SECRET)

    def install_woocommerce(self) -> Installation:
        """Prove the keys that the store has granted."""
        grant = {"key_id": 1, "user_id": "state-1", "key_permissions": "read_write"}
        body = json.dumps(grant | {name: self.app.keys[name] for name in ("consumer_key", "consumer_secret")}).encode()
        return self.platforms[WOOCOMMERCE].finish_install(
            Callback((), body), {"domain": "boutique.test"}, "state-1", "https://connector.test/callback", self.at
        )

    def _shopify_callback(self) -> Callback:
        twin = self.app.world.shopify
        with twin.shop.lock:
            code = twin.tokens.mint_code(SCOPES)
        pairs = {"code": code, "shop": twin.domain, "state": "state-1", "timestamp": str(int(self.at.timestamp()))}
        return Callback(tuple(parse_qsl(signed_query(pairs, self.app.world.client_secret))))

    def _finish_shopify(self, callback: Callback) -> Installation:
        remembered = {"shop": self.app.world.shopify.domain}
        return self.platforms[SHOPIFY].finish_install(callback, remembered, "state-1", "https://connector.test/callback", self.at)

    def _install_shopify(self) -> Access:
        installation = self._finish_shopify(self._shopify_callback())
        return Access(1, installation.domain, installation.credentials)


@contextmanager
def connected(directory: Path, at: datetime = START) -> Iterator[Calls]:
    """Started stores with an order each, and the adapters connected to them; it is `at` in the stores, and stays so."""
    clock = Clock()
    clock.at = at
    with played(directory, clock) as app:
        install_shopify(app)
        install_woocommerce(app)
        twin = app.world.shopify
        # These tests call as fast as they can; waiting for points is tested elsewhere.
        twin.shop.bucket = Bucket(1_000_000, 100_000)
        twin.pay(twin.start_checkout([(next(iter(twin.shop.products.values())).variants[0].sku, 1)], email="mary@example.com"))
        store = app.world.woocommerce
        store.type_contact(order := store.open_checkout([("BOUG-LAV", 2)]), "lea@example.com", name="Léa")
        store.place_order(order)
        settings = Settings.model_validate(
            {
                "shopify_client_id": app.world.client_id,
                "shopify_client_secret": app.world.client_secret,
                "sandbox": True,
                "address_map": app.world.address_map,
                "extra_ca": app.world.ca_pem,
            }
        )
        transport = Transport(settings.address_map, settings.extra_ca, is_closed_world=True)
        keys = {name: app.keys[name] for name in ("consumer_key", "consumer_secret")}
        calls = Calls(app, dict(make_platforms(settings, transport)), Access(1, twin.domain, {}), Access(2, "boutique.test", keys), at)
        calls.shopify = calls._install_shopify()
        assert app.world.settle()
        try:
            yield calls
        finally:
            transport.close()
